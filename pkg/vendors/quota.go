package vendors

import (
	"slices"
	"strings"

	"github.com/postrider/postrider/pkg/push"
)

// Quota is a bucket in which a vendor counts messages. When its quota is used up,
// requests of that bucket wait for the quota's next window; all others go on.
type Quota struct {
	// Bucket is the name in codes.tsv: "operational".
	Bucket string
	// Meaning says what is counted in the bucket, for people.
	Meaning string
	// Counts reports whether a request with the message to so many tokens belongs
	// to the bucket. nil: no request of postrider does.
	Counts func(m *push.Message, tokens int) bool
	// Part names the message's part of the bucket, for vendors that count parts of
	// it separately, such as channels. It may return "". nil: there are no parts.
	Part func(m *push.Message) string
}

// partSeparator is between a bucket and its part.
const partSeparator = ":"

// EveryMessage is a Quota.Counts for buckets that every request belongs to.
func EveryMessage(*push.Message, int) bool { return true }

// Buckets returns the buckets that a request with the message to so many tokens
// belongs to, parts included: "operational", "channel:news".
func (s Spec) Buckets(m *push.Message, tokens int) []string {
	var list []string
	for _, q := range s.Quotas {
		switch {
		case q.Counts == nil || !q.Counts(m, tokens):
		case q.Part != nil:
			list = append(list, q.Bucket+partSeparator+q.Part(m))
		default:
			list = append(list, q.Bucket)
		}
	}
	return list
}

// HasBucket reports whether the vendor has a quota with that name. It is true for
// "", which means no bucket.
func (s Spec) HasBucket(name string) bool {
	return name == "" || slices.ContainsFunc(s.Quotas, func(q Quota) bool { return q.Bucket == name })
}

// OfBucket returns those of a request's buckets that a row's bucket covers:
// the bucket itself, or its parts. If the request belongs to none of them, the
// vendor counts differently than Quotas says, and the result is the row's bucket.
func OfBucket(buckets []string, name string) []string {
	var list []string
	for _, b := range buckets {
		if b == name || strings.HasPrefix(b, name+partSeparator) {
			list = append(list, b)
		}
	}
	if len(list) == 0 {
		list = []string{name}
	}
	return list
}

// BucketName returns the bucket without its part, which may be any text. Metrics
// may have the result as a label.
func BucketName(bucket string) string {
	name, _, _ := strings.Cut(bucket, partSeparator)
	return name
}
