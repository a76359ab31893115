// Package receipt takes the vendors' delivery receipts: it answers them at once
// and keeps them in a stream, from which all workers together apply them to the
// ledgers and to the feed of invalid tokens. A receipt changes no outcome.
//
// It knows who may deliver receipts, whose message each belongs to, and Redis.
// It refuses to know any vendor's format, and what a code means.
package receipt

import (
	"time"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/account"
)

// Find finds an account; what it answers may change at any time.
type Find func(app, vendor string) (*account.Account, bool)

// Unknown is the event of receipts that cannot be put to any account's message,
// beside the vendors' events.
const Unknown = "unknown"

// Meter counts receipts.
type Meter interface {
	// Receipt counts n of them; event is a vendors.Event or Unknown.
	Receipt(app, vendor, event string, n int)
	// Refused counts a call with receipts that was not taken, by why: unproven,
	// unreadable, too-long or not-kept.
	Refused(vendor, reason string)
	// Invalid counts n entries that the feed got, or that are held.
	Invalid(app, vendor string, n int, held bool)
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
