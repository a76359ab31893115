// Package vendors says what an adapter for a push vendor is, and makes the one
// HTTP call that all adapters share. It also has what several of them check in
// a message, word for people, and read from the receipts posted to us.
//
// An adapter turns a message and tokens into exactly one request, and the
// answer into one code per token. It does not retry, sleep, log, count, cache,
// or know Redis, and it gives no verdict: what a code means stands in the
// codes.tsv beside it.
package vendors

import (
	"context"
	"net/http"
	"time"

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

// Spec is everything that the rest of postrider has to know of a vendor.
// The registry holds one for each; metric labels, configuration, simulator,
// documents and the conformance suite follow from it.
type Spec struct {
	Name  string // as in jobs, lanes and metrics: "huawei"
	Title string // for people: "Huawei Push Kit (HMS)"
	// Batch is the vendor's own limit of tokens in one request.
	Batch int
	// Least is the fewest tokens of the request that Batch is for, where one
	// token alone needs another kind of request: a client cuts 1,001 tokens into
	// 999 and 2. 0: 1.
	MinBatch int
	// TestBatch is the most tokens of one request with a test message, for
	// vendors that take fewer of them. 0: Batch.
	TestBatch int
	// Many is the most tokens of one request with different messages, for
	// vendors that are Multis; else 0.
	MaxMixed int
	// Unit and Rate are the vendor's documented rate limit: Rate Units a second
	// is the lowest that an app is granted.
	Unit Unit
	Rate float64
	// Codes says what every documented code means.
	Codes *classify.Table
	// Quotas are the buckets that the vendor counts messages in, each with a
	// quota of its own: those that a row of Codes may name. Empty: it has none.
	Quotas []Quota
	// Check reports what in a message breaks a hard limit of the vendor:
	// lengths, payload bytes, overrides that cannot be merged.
	Check func(m *push.Message) []push.Fault
	// Settings returns a new, empty block of the vendor's own settings, as a
	// pointer to a struct with yaml tags, to be filled by the configuration.
	Settings func() Settings
	// Mapping lists what becomes of the message's fields, for docs/mapping.md.
	Mapping []Mapping
	// Receipts says how delivery receipts come in; nil: the vendor sends none.
	Receipts *Receipts
}

// Mapping says where one field of push.Message goes.
type Mapping struct {
	Field string // as in the job: "message.ttl"
	To    string // the vendor's field, with its unit; "-" where the vendor has none
}

// Settings are the credentials and addresses of one app at one vendor. Fields
// that hold secrets have the type Secret.
type Settings interface {
	// Faults reports missing or malformed settings, by their keys in the file.
	Faults() []push.Fault
	// Open returns the adapter for these settings, which are valid. It makes no call.
	Open(client *http.Client) Vendor
}

// Request is one request to be made: one message to between 1 and Batch
// distinct tokens. Adapters only read it.
type Request struct {
	Message *push.Message
	Tokens  []string
	// TTL is how long the vendor may still hold the message, over 0: the
	// message's own less what the job waited with us.
	TTL time.Duration
	// Key identifies the message towards the vendor: the same on every retry,
	// another for another message. It has 32 lower-case hex digits; adapters
	// derive from it what their vendor de-duplicates by.
	Key string
	// Access is the access token, for vendors that are Granters; else "".
	Access string
	// Saved is the vendor's name for the message that Save laid up there, where
	// Saves said that the request needs it; else "".
	UploadID string
	// ReceiptURL is where the vendor shall send receipts, for vendors that are
	// told it with every request; they give back Key with them. "": no receipts
	// are asked for.
	ReceiptURL string
	Now        time.Time
}

// Answer is what the vendor said to one request.
type Answer struct {
	// Code is the answer to the request: the body's code where there is one,
	// else the HTTP status.
	Code classify.Code
	// Tokens holds the codes of tokens of which the vendor said something
	// else; all others have the request's.
	Tokens []TokenCode
	// RequestID is the vendor's name for the request, for support cases and receipts.
	RequestID string
	// Status is the HTTP status that it came with. See Believed.
	Status int
	// RetryAfter is the Retry-After header's wait, or 0.
	RetryAfter time.Duration
	// SavedGone says that the vendor no longer knows Request.Saved: the message
	// has to be saved again, once, and the request repeated.
	UploadGone bool
}

// TokenCode is the code of one token of a request.
type TokenCode struct {
	Index int // into Request.Tokens
	Code  classify.Code
}

// Vendor is an adapter with the settings of one app.
type Vendor interface {
	// Send makes exactly one request for at most Batch tokens. It honours ctx,
	// is safe for concurrent use, and reports every token's code in Answer. The
	// error is non-nil only when there is no answer; it is then an *Error.
	Send(ctx context.Context, r *Request) (Answer, error)
}

// Granter is a Vendor whose requests carry an access token that is obtained
// with a request of its own.
type Granter interface {
	// Grant makes exactly one request for a new access token, or none where the
	// adapter makes the token itself. A refusal is an *Error whose code has the level auth (or http, or transport).
	Grant(ctx context.Context, now time.Time) (Grant, error)
}

// Paced is a Vendor some of whose requests have a limit of their own beside the
// one that an app's rate is for.
type Paced interface {
	// Pace is that limit for a request with the message, in Spec.Units a second,
	// low enough that one more request than it allows does no harm; 0: there is none.
	Pace(m *push.Message) float64
}

// Saver is a Vendor some of whose requests refer to a message that was laid up
// at the vendor with a request of its own: once for a message, by whichever
// worker comes first, and used by all chunks, workers and retries.
type Uploader interface {
	// Saves tells whether Send needs r.Saved for a request like r.
	NeedsUpload(r *Request) bool
	// Save makes exactly one request that lays r.Message up; r.Tokens is not
	// sent. A refusal is an *Error with the vendor's code.
	Upload(ctx context.Context, r *Request) (Uploaded, error)
}

// Saved is the vendor's name for a message, and how long it may be used.
type Uploaded struct {
	ID       string
	Lifetime time.Duration
}

// Multi is a Vendor that takes different messages in one request.
type MixedSender interface {
	// SendMany makes exactly one request for several messages of one app, with
	// Spec.Many tokens in all at most. Indices in Answer.Tokens count through the
	// tokens of all requests in order. Access is the same in all; Saved is not
	// used. Otherwise it is like Send.
	SendMixed(ctx context.Context, rs []*Request) (Answer, error)
}

// Puller is a Vendor that keeps a list of tokens that it found dead, apart from
// its answers and receipts. A page of the list may be gone from it as soon as it
// was answered: who pulls has to keep it before pulling the next one.
type ListFetcher interface {
	// Pulls tells whether these settings have such a list.
	HasList() bool
	// Pull makes exactly one request for the next page; one without tokens is the
	// end. access is the access token, for vendors that are Granters; else "". A
	// refusal is an *Error.
	FetchList(ctx context.Context, access string) (ListPage, error)
}

// Pulled is one page of a list of dead tokens.
type ListPage struct {
	Tokens []string
	// Code is what the list says of all of them.
	Code classify.Code
	// Unreadable counts what stood in the list and is no token.
	Unreadable int
}

// Grant is an access token and how long it lives from the moment of the request.
type Grant struct {
	Access   string
	Lifetime time.Duration
}
