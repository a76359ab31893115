package vendors

import (
	"net/http"
	"net/url"
	"time"

	"github.com/postrider/postrider/pkg/classify"
)

// Event is what a receipt says about a token.
type Event string

// The events.
const (
	Arrived Event = "arrived" // the message reached the phone
	Clicked Event = "clicked" // the user opened the message
	Failed  Event = "failed"  // the message will not be shown
	Pending Event = "pending" // the message is on its way; another receipt follows
)

// Receipt is what a vendor reported about one token after it had accepted the
// message.
type Receipt struct {
	// Token is the token as the vendor writes it.
	Token string
	// Tag is the Request.Key that the vendor returned. "": it returned none.
	Tag string
	// RequestID is the vendor's name for the request. "": it named none.
	RequestID string
	// Code has the level receipt or callback.
	Code classify.Code
	// Event is what happened to the message.
	Event Event
	// At is when it happened, by the vendor's clock. Zero: the vendor did not say.
	At time.Time
	// Replacement is the token's successor. "": the vendor named none.
	Replacement string
	// Foreign says that the vendor named another app than the account's. If the tag
	// is unknown too, the receipt is for another installation and is ignored.
	Foreign bool
}

// ReceiptCall is one HTTP call with receipts from a vendor.
type ReceiptCall struct {
	// Header, Query and Body are the call's.
	Header http.Header
	Query  url.Values
	Body   []byte
	// Settings are those of the account whose address was called.
	Settings Settings
	// User and Key are what the vendor signs with. Key is never empty.
	User string
	Key  []byte
	// Now is the time of the call.
	Now time.Time
}

// Receipts says how a vendor reports whether a message was delivered.
type Receipts struct {
	// Verify reports whether the call has the vendor's signature and it is right.
	// nil: the vendor signs nothing.
	Verify func(c *ReceiptCall) bool
	// Ours reports whether a call, however it was authenticated, is about the
	// account. nil: the vendor names no account.
	Ours func(c *ReceiptCall) bool
	// Read takes a call apart. It leaves out items that it cannot read. The error
	// is for a body that does not have the vendor's format.
	Read func(c *ReceiptCall) ([]Receipt, error)
	// ContentType and Reply are the answer that the vendor expects.
	ContentType, Reply string
	// LongestURL is the limit of the address in a request, in bytes, for vendors
	// that are told it in every request. 0: the address is set in the vendor's
	// console.
	LongestURL int
}

// receiptWindow is how far the time in a signed call may differ from the time of
// the call, in either direction. An older recorded call is refused.
const receiptWindow = 15 * time.Minute

// Within reports whether a call that was signed at the given time is accepted.
func (c *ReceiptCall) Within(at time.Time) bool {
	return c.Now.Sub(at).Abs() <= receiptWindow
}
