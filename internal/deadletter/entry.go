// Package deadletter reads the stream of tokens that were given up, sends them
// again as their job had them, or throws them away. It does not know why a
// token died, nor who reads what it yields.
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
	// ID is the entry's id in the stream; it begins with the time of its death
	// in Unix milliseconds.
	ID string
	// Version is that of the entry: see wire.DeadVersion.
	Version int
	// Code is "vendor/level/code", or empty if the vendor was not asked.
	App, Vendor, Job, Code, Class string
	// Reason is one of wire's, also where the entry is of version 1.
	Reason wire.DeadReason
	// Detail is what the vendor or the network said of it.
	Detail string
	// Attempts counts the requests that each token has behind it.
	Attempts int
	// At is when it died.
	At time.Time
	// Tokens are newline-separated, as they are stored.
	Tokens string

	// Message is the job's, encoded. Priority and Delivery are the job's too;
	// empty ones are the defaults.
	Message, Priority, Delivery string
	// Key is the tokens' idempotency key; empty: it follows from job and message.
	Key string
	// Vars are the values of the message's variables, which a later version writes.
	Vars string
	// Start is when the job could be sent first, Expires when no longer.
	Start, Expires time.Time
}

// List is the entry's tokens one by one; never of length 0.
func (e *Entry) List() []string { return strings.Split(e.Tokens, "\n") }

// Count is the number of tokens.
func (e *Entry) Count() int { return strings.Count(e.Tokens, "\n") + 1 }

// Number is the code as the vendor says it: what follows vendor and level.
func (e *Entry) Number() string {
	_, rest, _ := strings.Cut(e.Code, "/")
	_, number, _ := strings.Cut(rest, "/")
	return number
}

// decode reads an entry's fields. Numbers and times that are none stay zero:
// an entry that can be shown is worth more than one that is refused.
func decode(id string, f map[string]any) Entry {
	text := func(field string) string { s, _ := f[field].(string); return s }
	e := Entry{
		ID: id, Version: 1, App: text("app"), Vendor: text("vendor"), Job: text("job"), Code: text("code"),
		Reason: wire.DeadReason(text("reason")), Detail: text("detail"), Class: text("class"), Key: text("key"), Vars: text("vars"),
		Tokens: text("tokens"), Message: text("message"), Priority: text("priority"), Delivery: text("delivery"),
		Start: milliseconds(text("start")), Expires: milliseconds(text("expires")),
	}
	if v, err := strconv.Atoi(text("v")); err == nil {
		e.Version = v
	}
	if e.Version < 2 {
		reason, detail, _ := strings.Cut(text("reason"), ": ")
		e.Reason, e.Detail = wire.DeadReason(reason), detail
	}
	e.Attempts, _ = strconv.Atoi(text("attempts"))
	e.At, _ = time.Parse(time.RFC3339, text("at"))
	return e
}

func milliseconds(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// Filter chooses entries. An empty field chooses all.
type Filter struct {
	App, Vendor, Job string
	// Code is "vendor/level/code", or only what the vendor says.
	Code string
	// Since leaves out what died before it, by Redis' clock.
	Since time.Time
}

func (f *Filter) matches(e *Entry) bool {
	return (f.App == "" || f.App == e.App) &&
		(f.Vendor == "" || f.Vendor == e.Vendor) &&
		(f.Job == "" || f.Job == e.Job) &&
		(f.Code == "" || f.Code == e.Code || f.Code == e.Number())
}

// first is the lowest id that the filter lets through.
func (f *Filter) first() string {
	if f.Since.IsZero() {
		return "-"
	}
	return strconv.FormatInt(max(0, f.Since.UnixMilli()), 10)
}

// CheckID tells what is wrong with the id of an entry; nil if nothing is.
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
