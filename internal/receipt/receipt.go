// Package receipt accepts the vendors' delivery receipts. It answers the vendor as
// soon as the receipts are stored in a stream. From there all workers together
// apply them to the ledgers and to the feed of invalid tokens. A receipt never
// changes an outcome.
//
// It knows how receipts are authenticated, which job each belongs to, and Redis.
// It does not know any vendor's format, or what a code means.
package receipt

import (
	"time"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/account"
)

// Find returns an account in force; the result may change at any time.
type Find func(app, vendor string) (*account.Account, bool)

// Unknown is the event, in addition to the vendors' events, of receipts for a
// message that postrider does not know.
const Unknown = "unknown"

// Meter counts receipts.
type Meter interface {
	// Receipt counts n receipts; event is a vendors.Event or Unknown.
	Receipt(app, vendor, event string, n int)
	// Refused counts a refused call with receipts. reason is unproven, unreadable,
	// too-long or not-kept.
	Refused(vendor, reason string)
	// Invalid counts n entries that entered the feed or the quarantine (held).
	Invalid(app, vendor string, n int, quarantined bool)
}

// Config holds what handler and consumer need.
type Config struct {
	Store *Store
	Find  Find
	Meter Meter
	Log   zerolog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

func (c *Config) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}
