// Package deadletter reads the stream of tokens that were given up, sends them again
// with their job's settings, or deletes them. It does not know why a token ended dead,
// or who reads the entries.
package deadletter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Entry is the tokens of one chunk that ended dead for one reason.
type Entry struct {
	// ID is the entry's id in the stream; it begins with the time at which it was added,
	// in Unix milliseconds.
	ID string
	// Version is that of the entry: see wire.DeadVersion.
	Version int
	// Code is "vendor/level/code", or empty if the vendor was not asked.
	App, Vendor, Job, Code, Class string
	// Reason is one of wire's, also if the entry has version 1.
	Reason wire.DeadReason
	// Detail is what the vendor or the network said about it.
	Detail string
	// Attempts is how many requests were made for each token.
	Attempts int
	// At is when the tokens ended dead.
	At time.Time
	// Tokens are newline-separated, as they are stored.
	Tokens string

	// Message is the job's, encoded. Priority and Delivery are the job's too;
	// empty ones are the defaults.
	Message, Priority, Delivery string
	// Key is the tokens' idempotency key; empty: it follows from job and message.
	Key string
	// Vars are the values of the message's variables, which only a later version writes.
	Vars string
	// Start is when the job could be sent first, Expires when no longer.
	Start, Expires time.Time
}

// List is the entry's tokens one by one; never of length 0.
func (e *Entry) List() []string { return strings.Split(e.Tokens, "\n") }

// Count is the number of tokens.
func (e *Entry) Count() int { return strings.Count(e.Tokens, "\n") + 1 }

// Number is the code as the vendor says it: what follows vendor and level.
func (e *Entry) Number() string { return wire.VendorCode(e.Code) }

// decode reads an entry's fields. Times that cannot be read stay zero.
func decode(id string, values map[string]any) Entry {
	f := wire.DecodeDeadEntry(values)
	e := Entry{
		ID: id, Version: f.Version, App: f.App, Vendor: f.Vendor, Job: f.Job, Code: f.Code, Class: f.Class, Reason: f.Reason,
		Detail: f.Detail, Attempts: f.Attempts, Tokens: f.Tokens, Message: f.Message, Priority: f.Priority, Delivery: f.Delivery,
		Key: f.Key, Vars: f.Vars, Start: milliseconds(f.Start), Expires: milliseconds(f.Expires),
	}
	e.At, _ = time.Parse(time.RFC3339, f.At)
	return e
}

// milliseconds is a time in Unix milliseconds; zero for 0.
func milliseconds(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// CheckID says what is wrong with the id of an entry; nil: nothing.
func CheckID(id string) error {
	ms, n, two := strings.Cut(id, "-")
	_, err := strconv.ParseUint(ms, 10, 64)
	if two && err == nil {
		_, err = strconv.ParseUint(n, 10, 64)
	}
	if err != nil {
		return fmt.Errorf("%q is not the id of a dead letter: those look like 1763712000000-0", id)
	}
	return nil
}

// ErrUnknown is wrapped by the error for an id that no entry has.
var ErrUnknown = errors.New("no such dead letter")
