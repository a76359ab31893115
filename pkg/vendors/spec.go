package vendors

import (
	"net/http"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
)

// Unit is what a vendor's rate limit counts.
type Unit string

// The units.
const (
	Tokens   Unit = "tokens"
	Requests Unit = "requests"
	Messages Unit = "messages"
)

// Spec is everything that the rest of postrider knows about a vendor. The registry
// has one for each vendor; lanes, metric labels, configuration, the demo,
// documents and the conformance suite follow from it.
type Spec struct {
	// Name is the vendor's name in jobs, lanes, metrics and file names: "huawei".
	Name string
	// Title is the vendor's name for people: "Huawei Push Kit (HMS)".
	Title string
	// Batch is the vendor's own limit of tokens in one request, at least 1.
	Batch int
	// MinBatch is the fewest tokens of a request of the kind that Batch is for,
	// for vendors where a single token needs another kind of request. A client
	// then cuts 1,001 tokens into 999 and 2. 0 means 1.
	MinBatch int
	// TestBatch is the limit of tokens in one request with a test message, for
	// vendors that take fewer of them. 0 means Batch.
	TestBatch int
	// MaxMixed is the limit of tokens in one request with different messages, for
	// vendors whose adapter is a MixedSender. 0 for all others.
	MaxMixed int
	// Rate is the lowest rate limit that the vendor grants an app, in Units a
	// second, as documented. It is over 0.
	Rate float64
	// Unit is what Rate counts.
	Unit Unit
	// Codes says what every documented code means.
	Codes *classify.Table
	// Quotas are the buckets that the vendor counts messages in, each with a quota
	// of its own. Rows of Codes name them. Empty: the vendor has no quotas.
	Quotas []Quota
	// Check reports what in a message breaks a hard limit of the vendor: lengths,
	// payload bytes, overrides that cannot be merged. Its result is nil for a
	// message that the vendor can accept.
	Check func(m *push.Message) []push.Fault
	// Limits are the documented sizes that Check enforces. The conformance suite
	// tries a message at each limit and one above it.
	Limits []Limit
	// KeyFields are the fields of a request that the vendor de-duplicates by, which
	// follow from Request.Key: "requestId". An override may not touch them: two jobs
	// with one value would be one message to the vendor, which drops the second
	// without an error. Empty: the vendor de-duplicates nothing.
	KeyFields []string
	// Settings returns a new, empty block of the vendor's own settings: a pointer
	// to a struct with yaml tags, which the configuration fills.
	Settings func() Settings
	// Mapping lists where each field of a message is sent, for docs/mapping.md.
	Mapping []Mapping
	// Receipts says how delivery receipts arrive. nil: the vendor sends none.
	Receipts *Receipts
	// Demo holds the settings for `worker demo`, as the YAML of a vendor's block.
	// The simulator accepts them; %BASE% means its address.
	Demo string
	// Example is the vendor's part of the example configuration: YAML lines with
	// the vendor's name as the key, not indented, most of them commented out.
	Example string
}

// Limit is the documented size of a part of a message.
type Limit struct {
	// Field is the part that makes a message too large: "message.title" or
	// "message.body".
	Field string
	// Max is the largest size that the vendor accepts, in Units.
	Max int
	// Unit is what is counted, for people: "characters".
	Unit string
	// Size measures a message in Units. nil counts the characters of Field.
	Size func(m *push.Message) (int, error)
}

// Settings are the credentials and addresses of one app at one vendor. Fields
// that hold secrets have the type Secret.
type Settings interface {
	// Faults reports missing and malformed settings. Fault.Field is the key in the
	// file. nil: the settings are valid.
	Faults() []push.Fault
	// Open returns the adapter for these settings, which are valid. It makes no
	// call. The adapter sends with the client and never closes it.
	Open(client *http.Client) Vendor
}
