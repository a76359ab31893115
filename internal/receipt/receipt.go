// Package receipt takes the vendors' delivery receipts: it answers them at once and
// stores them in a stream, from which all workers together apply them to the ledgers and
// to the feed of invalid tokens. A receipt changes no outcome.
//
// It knows who may send receipts, to which message each belongs, and Redis. It does not
// know any vendor's format, or what a code means.
package receipt

import (
	"time"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Account is what receipts need to know about one app at one vendor.
type Account struct {
	App      string
	Spec     vendors.Spec
	Codes    *classify.Table
	Settings vendors.Settings
	// User and Key are what the vendor signs with.
	User string
	Key  []byte
	// Secret may be the last part of the path; "": the account takes no receipts.
	Secret vendors.Secret
}

// Find finds an account; its result may change at any time.
type Find func(app, vendor string) (*Account, bool)

// Unknown is the event of receipts that belong to no known message, in addition to the
// vendors' events.
const Unknown = "unknown"

// Meter counts receipts.
type Meter interface {
	// Receipt counts n of them; event is a vendors.Event or Unknown.
	Receipt(app, vendor, event string, n int)
	// Refused counts a call with receipts that was not taken, by why: unproven,
	// unreadable, too-long or not-kept.
	Refused(vendor, reason string)
	// Invalid counts n entries that were added to the feed, or quarantined.
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
