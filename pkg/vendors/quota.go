package vendors

import (
	"slices"
	"strings"

	"github.com/postrider/postrider/pkg/push"
)

// Quota is a bucket in which a vendor counts messages for a quota of its own.
// When it is used up, requests of that bucket wait for the quota's next window,
// and all others go on.
type Quota struct {
	Bucket  string // as in codes.tsv: "operational"
	Meaning string // for people: what is counted in it
	// Has tells whether a request with the message to so many tokens belongs to
	// the bucket; nil: none does that we make.
	Counts func(m *push.Message, tokens int) bool
	// Part is set where the vendor counts parts of the bucket apart, such as
	// channels: it names the message's, and may answer "".
	Part func(m *push.Message) string
}

// partMark stands between a bucket and its part.
const partSeparator = ":"

// Every is a Quota.Has for buckets to which every request belongs.
func EveryMessage(*push.Message, int) bool { return true }

// Buckets are those that a request with the message to so many tokens belongs
// to: "operational", "channel:news".
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

// HasBucket tells whether the vendor has a quota of that name; "" it has.
func (s Spec) HasBucket(name string) bool {
	return name == "" || slices.ContainsFunc(s.Quotas, func(q Quota) bool { return q.Bucket == name })
}

// OfBucket are those of a request's buckets that a row's bucket stands for: it
// itself, or its parts. If the request belongs to none of them the vendor sees
// it otherwise than we do, and the bucket is what it says.
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

// BucketName is the bucket without its part, which may be any text: the name
// that metrics may have as a label.
func BucketName(bucket string) string {
	name, _, _ := strings.Cut(bucket, partSeparator)
	return name
}
