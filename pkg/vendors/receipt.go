package vendors

import (
	"net/http"
	"net/url"
	"time"

	"github.com/postrider/postrider/pkg/classify"
)

// Event is what a receipt tells of a token.
type Event string

// The events.
const (
	Arrived Event = "arrived" // the message reached the phone
	Clicked Event = "clicked"
	Failed  Event = "failed"  // it will not be shown
	Pending Event = "pending" // it is still on its way; another receipt follows
)

// Receipt is what a vendor said of one token after it had accepted it.
type Receipt struct {
	Token string
	// Tag is the Request.Key that the vendor gives back; "": it gave none.
	Tag string
	// RequestID is the vendor's name for the request; "": it named none.
	RequestID string
	// Code has the level receipt or callback.
	Code  classify.Code
	Event Event
	// At is when it happened, by the vendor's clock; zero: it did not say.
	At time.Time
	// Replacement is the token's successor, where the vendor names one.
	Replacement string
	// Foreign: the vendor names another app than the account's. If the tag is
	// not ours either, the receipt is not for us.
	Foreign bool
}

// ReceiptCall is one call of a vendor's to our address for receipts.
type ReceiptCall struct {
	Header http.Header
	Query  url.Values
	Body   []byte
	// Settings are those of the account whose address was called.
	Settings Settings
	// User and Key are what the vendor signs with; Key is never empty.
	User string
	Key  []byte
	Now  time.Time
}

// Receipts says how a vendor tells us what became of messages.
type Receipts struct {
	// Verify tells whether the vendor's signature is in the call and right; nil:
	// the vendor signs nothing.
	Verify func(c *ReceiptCall) bool
	// Ours tells whether a call, however it proved itself, is about the account;
	// nil: the vendor names no account.
	Ours func(c *ReceiptCall) bool
	// Read takes a call apart. Items that it cannot make sense of are left out;
	// the error is for bodies that are not the vendor's format at all.
	Read func(c *ReceiptCall) ([]Receipt, error)
	// ContentType and Reply are the answer that the vendor expects.
	ContentType, Reply string
	// LongestURL is the most bytes of the address that a request may name, for
	// vendors that are told it with every request; 0: they have it from their console.
	LongestURL int
}

// receiptWindow is how far a signed call's time may be from ours, either way:
// beyond it a call that somebody recorded is not taken again.
const receiptWindow = 15 * time.Minute

// Within tells whether a call signed at the time is still taken.
func (c *ReceiptCall) Within(at time.Time) bool {
	return c.Now.Sub(at).Abs() <= receiptWindow
}
