// Package account holds the accounts in force. An account is an app at a vendor:
// its settings, its adapter, its limits. The package builds them from the
// configuration; it does not know who sends what with them.
package account

import (
	"math"
	"time"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// Account is an app at a vendor. It is read-only once it is in a Snapshot.
type Account struct {
	App  string
	Spec vendors.Spec
	// Settings are the vendor's own: credentials and addresses.
	Settings vendors.Settings
	// Vendor is the adapter; nil in a Snapshot that was opened without a client.
	Vendor vendors.Vendor
	// Codes is the vendor's code table with the configuration's overrides.
	Codes *classify.Table
	// Batch is the most tokens in one request, Timeout the longest that one may take.
	Batch   int
	Timeout time.Duration
	// Rate is how many Spec.Units a second the app may send; 0: no limit.
	Rate float64
	// Shared: another app uses the vendor too.
	Shared bool
	// Fingerprint is a hash of Settings, secrets included.
	Fingerprint string
	// Receipts says how the vendor's receipts prove themselves. Without a secret
	// the account takes none.
	Receipts config.Receipts
	// ReceiptURL is sent with every request to vendors that learn it that way; "":
	// none is sent.
	ReceiptURL string
}

// TakesReceipts tells whether the vendor's delivery receipts are accepted.
func (a *Account) TakesReceipts() bool { return !a.Receipts.Secret.Empty() && a.Spec.Receipts != nil }

// Granter returns the adapter's side that grants access tokens; nil: it needs none.
func (a *Account) Granter() vendors.Granter {
	g, _ := a.Vendor.(vendors.Granter)
	return g
}

// Units is how much of the rate a request with n tokens uses.
func (a *Account) Units(n int) int {
	if a.Spec.Unit == vendors.Requests {
		return 1
	}
	return n
}

// Permits is how much of the rate a request with n tokens of the message uses.
// Where the vendor has a lower limit for such messages, it is proportionally
// more, so that they keep to that limit. Other messages then get less than they
// could; a second limit in Redis would avoid that, but the case is rare.
func (a *Account) Permits(m *push.Message, n int) int {
	units := a.Units(n)
	v, ok := a.Vendor.(vendors.Paced)
	if !ok {
		return units
	}
	if pace := v.Pace(m); pace > 0 && pace < a.Rate {
		return int(math.Ceil(float64(units) * a.Rate / pace))
	}
	return units
}

// BatchFor is the most tokens in one request with the message.
func (a *Account) BatchFor(m *push.Message) int {
	if m.Test && a.Spec.TestBatch > 0 {
		return min(a.Batch, a.Spec.TestBatch)
	}
	return a.Batch
}

// MaxMixed is the most tokens in one request with different messages; 0: the
// vendor has no such request.
func (a *Account) MaxMixed() int {
	if _, ok := a.Vendor.(vendors.MixedSender); !ok {
		return 0
	}
	return min(a.Spec.MaxMixed, a.Batch)
}
