package vendors

import (
	"context"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
)

// Granter is a Vendor whose requests carry an access token that is obtained
// with a request of its own.
type Granter interface {
	// Grant makes exactly one request for a new access token, or none if the
	// adapter signs the token itself. A refusal is an *Error whose code has the
	// level auth, http or transport.
	Grant(ctx context.Context, now time.Time) (Grant, error)
}

// Grant is an access token and how long it is valid from the moment of the request.
type Grant struct {
	// Access is the token itself. It is a secret.
	Access string
	// Lifetime is over 0.
	Lifetime time.Duration
}

// Uploader is a Vendor some of whose requests refer to a message that was stored
// at the vendor with a request of its own. A message is uploaded once, by the
// worker that comes first; all chunks, workers and retries use the result.
type Uploader interface {
	// NeedsUpload reports whether Send needs r.UploadID for a request like r.
	NeedsUpload(r *Request) bool
	// Upload makes exactly one request that stores r.Message; r.Tokens is not
	// sent. If r.UploadID is set, the vendor has lost that message: the new upload
	// must not count as a repeat of the old one. A refusal is an *Error with the
	// vendor's code.
	Upload(ctx context.Context, r *Request) (Uploaded, error)
}

// Uploaded names a message that is stored at the vendor.
type Uploaded struct {
	// ID is the vendor's name for the message.
	ID string
	// Lifetime is how long the name may be used, over 0.
	Lifetime time.Duration
}

// UploadPrefix begins a response code in codes.tsv whose meaning in the answer to an
// upload differs from that in the answer to a send.
const UploadPrefix = "save/"

// UploadCode returns the response code of an answer to an upload, with UploadPrefix
// if the table has such a row: an answer to an upload is never about a token.
func UploadCode(t *classify.Table, code string) string {
	if _, known := t.Lookup(classify.Response, UploadPrefix+code); known {
		return UploadPrefix + code
	}
	return code
}

// MixedSender is a Vendor that takes different messages in one request.
type MixedSender interface {
	// SendMixed makes exactly one request for several messages of one app, with at
	// most Spec.MaxMixed tokens in all. Indices in Answer.Tokens count through the
	// tokens of all requests, in order. Access is the same in all requests;
	// UploadID is not used. Otherwise it is like Vendor.Send.
	SendMixed(ctx context.Context, rs []*Request) (Answer, error)
}

// ListFetcher is a Vendor that keeps a list of tokens that it found invalid,
// apart from its answers and receipts. The vendor may forget a page as soon as
// it has answered with it, so a caller stores each page before it fetches the
// next one.
type ListFetcher interface {
	// HasList reports whether there is such a list with these settings.
	HasList() bool
	// FetchList makes exactly one request for the next page; a page without tokens
	// is the end. access is the access token, for vendors that are Granters; else
	// "". A refusal is an *Error.
	FetchList(ctx context.Context, access string) (ListPage, error)
}

// ListPage is one page of a vendor's list of invalid tokens.
type ListPage struct {
	// Tokens are the tokens on the page.
	Tokens []string
	// Code is what the list says about all of them.
	Code classify.Code
	// Unreadable counts the entries of the page that are not tokens.
	Unreadable int
}

// Paced is a Vendor with a separate rate limit for some requests, in addition to
// the app's rate limit.
type Paced interface {
	// Pace returns that limit for a request with the message, in Spec.Units a
	// second. It leaves room for one extra request. 0: there is no such limit.
	Pace(m *push.Message) float64
}
