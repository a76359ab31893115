package vendors

import (
	"context"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
)

// Vendor is an adapter with the settings of one app.
//
// It may also be a Granter, Uploader, MixedSender, ListFetcher or Paced; each of
// these interfaces adds one ability that only some vendors have.
type Vendor interface {
	// Send makes exactly one request to at most Spec.Batch tokens. It honours ctx,
	// is safe for concurrent use, and reports every token's code in Answer. The
	// error is non-nil only if there is no answer; it is then an *Error.
	Send(ctx context.Context, r *Request) (Answer, error)
}

// Request is one request to be made: one message to between 1 and Spec.Batch
// distinct tokens. Adapters only read it.
type Request struct {
	// Message is the message to send. Spec.Check has accepted it.
	Message *push.Message
	// Tokens are the receivers. Answers refer to them by index.
	Tokens []string
	// TTL is how long the vendor may still hold the message, over 0: the message's
	// own time to live, less the time that the job waited in a queue.
	TTL time.Duration
	// Key identifies the message towards the vendor. Every retry has the same key,
	// another message another one. It has 32 lower-case hex digits; adapters derive
	// from it what their vendor de-duplicates by.
	Key string
	// Access is the access token, for vendors that are Granters; else "".
	Access string
	// UploadID is the vendor's name for the message that Upload stored there, if
	// NeedsUpload says that the request needs one; else "".
	UploadID string
	// ReceiptURL is the address that the vendor sends receipts to, for vendors that
	// are told it in every request; they return Key with each receipt. "": no
	// receipts are requested.
	ReceiptURL string
	// Now is the time that signatures and timestamps use.
	Now time.Time
}

// Answer is what the vendor said to one request.
type Answer struct {
	// Code is the answer to the whole request: the code in the body if there is
	// one, else the HTTP status.
	Code classify.Code
	// Tokens are the tokens with a code of their own, in ascending order of Index.
	// All other tokens have the request's code.
	Tokens []TokenCode
	// RequestID is the vendor's name for the request, for support cases and
	// receipts. "": the vendor named none.
	RequestID string
	// Status is the HTTP status of the answer. See ConsistentCode.
	Status int
	// RetryAfter is the wait that the Retry-After header asks for, or 0.
	RetryAfter time.Duration
	// UploadGone says that the vendor no longer knows Request.UploadID. The message
	// has to be uploaded again, once, and the request repeated.
	UploadGone bool
}

// TokenCode is the code of one token of a request.
type TokenCode struct {
	// Index is the token's index in Request.Tokens.
	Index int
	// Code is what the vendor said about the token.
	Code classify.Code
}

// NamedTokens returns the codes that an answer gives by name, for those tokens
// that the request has, in the request's order. A name that was not in the
// request counts for no token: deleting a token needs proof.
func NamedTokens(tokens []string, named map[string]string) []TokenCode {
	if len(named) == 0 {
		return nil
	}
	var list []TokenCode
	for i, t := range tokens {
		if code, ok := named[t]; ok {
			list = append(list, TokenCode{Index: i, Code: classify.Code{Level: classify.Token, Code: code}})
		}
	}
	return list
}
