package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// InvalidEntry is one entry of InvalidStream or QuarantineStream: a token that a vendor
// called invalid.
type InvalidEntry struct {
	App, Vendor, Token string
	Code               string // "vendor/level/code"
	Reason             string // what the vendor or the code table says of it
	Job                string // the job that found out; "": none did
	At                 string // RFC 3339
	Action             string // "delete", "suppress" or "replace"
	Replacement        string // the token to use instead; "": there is none
}

// ActionDelete is the action of tokens that are invalid for good: they are
// marked, so that no job that was enqueued before is sent to them.
const ActionDelete = "delete"

// Words are the entry's fields and values.
func (e InvalidEntry) Words() []any {
	words := []any{
		"app", e.App, "vendor", e.Vendor, "token", e.Token, "code", e.Code, "reason", e.Reason,
		"job", e.Job, "at", e.At, "action", e.Action,
	}
	if e.Replacement != "" {
		words = append(words, "replacement", e.Replacement)
	}
	return words
}

// DecodeInvalidEntry reads an entry's fields; a missing one is "".
func DecodeInvalidEntry(values map[string]any) InvalidEntry {
	f := fields(values)
	return InvalidEntry{
		App: f.text("app"), Vendor: f.text("vendor"), Token: f.text("token"), Code: f.text("code"), Reason: f.text("reason"),
		Job: f.text("job"), At: f.text("at"), Action: f.text("action"), Replacement: f.text("replacement"),
	}
}

// DeadEntry is one entry of DeadStream: the tokens of a chunk that ended dead for
// one reason, with what a replay needs.
type DeadEntry struct {
	Version                       int // of a decoded entry; Words does not read it
	App, Vendor, Job, Code, Class string
	Reason                        DeadReason
	Detail                        string // what the vendor or the network said of it
	Attempts                      int
	At                            string // RFC 3339
	Tokens                        string // newline-separated
	Message, Priority, Delivery   string
	Key                           string // the tokens' idempotency key; "": it follows from job and message
	Vars                          string // the message's variables, which only a later version writes
	Start, Expires                int64  // Unix milliseconds; 0: not known
}

// Words are the entry's fields and values.
func (e DeadEntry) Words() []any {
	words := []any{
		"v", DeadVersion, "app", e.App, "vendor", e.Vendor, "job", e.Job, "code", e.Code, "reason", string(e.Reason),
		"detail", e.Detail, "class", e.Class, "attempts", e.Attempts, "at", e.At, "tokens", e.Tokens, "message", e.Message,
		"priority", e.Priority, "delivery", e.Delivery, "start", e.Start, "expires", e.Expires,
	}
	if e.Key != "" {
		words = append(words, "key", e.Key)
	}
	return words
}

// DecodeDeadEntry reads an entry's fields. What is missing, or is no number, is
// zero: an entry that can be shown is worth more than one that is refused.
func DecodeDeadEntry(values map[string]any) DeadEntry {
	f := fields(values)
	e := DeadEntry{
		Version: 1, App: f.text("app"), Vendor: f.text("vendor"), Job: f.text("job"), Code: f.text("code"), Class: f.text("class"),
		Reason: DeadReason(f.text("reason")), Detail: f.text("detail"), At: f.text("at"), Tokens: f.text("tokens"),
		Message: f.text("message"), Priority: f.text("priority"), Delivery: f.text("delivery"), Key: f.text("key"), Vars: f.text("vars"),
		Start: f.number("start"), Expires: f.number("expires"),
	}
	e.Attempts, _ = strconv.Atoi(f.text("attempts"))
	if v, err := strconv.Atoi(f.text("v")); err == nil {
		e.Version = v
	}
	if e.Version < 2 {
		reason, detail, _ := strings.Cut(f.text("reason"), ": ")
		e.Reason, e.Detail = DeadReason(reason), detail
	}
	return e
}

// RefusedEntry is one entry of RefusedStream: a job that was refused, or one token
// of a job that was enqueued.
type RefusedEntry struct {
	ID, Job, Reason string // ID is that of the intake entry
	// Position counts tokens from 1 in the list of Vendor; 0: the job was refused.
	Position int
	Vendor   string
}

// Words are the entry's fields and values.
func (e RefusedEntry) Words() []any {
	words := []any{"id", e.ID, "job", e.Job, "reason", e.Reason}
	if e.Position > 0 {
		words = append(words, "position", e.Position, "vendor", e.Vendor)
	}
	return words
}

// IntakeJob is the field of IntakeStream that holds a job as JSON.
const IntakeJob = "job"

// receiptVersion is the version of the entries of ReceiptStream.
const receiptVersion = "1"

// ReceiptEntry is one entry of ReceiptStream: receipts of one app at one vendor.
type ReceiptEntry struct {
	App, Vendor string
	At          int64  // when they came, Unix milliseconds
	Receipts    []byte // JSON
}

// Words are the entry's fields and values.
func (e ReceiptEntry) Words() []any {
	return []any{"v", receiptVersion, "app", e.App, "vendor", e.Vendor, "at", e.At, "receipts", e.Receipts}
}

// DecodeReceiptEntry reads an entry's fields. The error wraps ErrNewer for a
// version that this build does not know.
func DecodeReceiptEntry(values map[string]any) (ReceiptEntry, error) {
	f := fields(values)
	e := ReceiptEntry{App: f.text("app"), Vendor: f.text("vendor"), Receipts: []byte(f.text("receipts"))}
	version, err := strconv.Atoi(f.text("v"))
	switch {
	case err != nil:
		return e, errors.New("it has no version")
	case strconv.Itoa(version) != receiptVersion:
		return e, fmt.Errorf("version %d: %w", version, ErrNewer)
	}
	if e.At, err = strconv.ParseInt(f.text("at"), 10, 64); err != nil {
		return e, errors.New("it has no time")
	}
	return e, nil
}

// EntryFilter chooses entries of InvalidStream, QuarantineStream or DeadStream. An
// empty field chooses all.
type EntryFilter struct {
	App, Vendor, Job string
	// Code is "vendor/level/code", or only the vendor's own code.
	Code string
	// Since leaves out what was added before it, by Redis's clock.
	Since time.Time
}

// Matches reports whether the filter chooses an entry with these fields; Since is
// not looked at.
func (f EntryFilter) Matches(app, vendor, job, code string) bool {
	return (f.App == "" || f.App == app) &&
		(f.Vendor == "" || f.Vendor == vendor) &&
		(f.Job == "" || f.Job == job) &&
		(f.Code == "" || f.Code == code || f.Code == VendorCode(code))
}

// First is the lowest id of entries that Since lets through.
func (f EntryFilter) First() string { return FirstEntry(f.Since) }

// FirstEntry is the lowest id of a stream's entries that were added at a time or
// later; zero: of all.
func FirstEntry(since time.Time) string {
	if ms := since.UnixMilli(); !since.IsZero() && ms > 0 {
		return strconv.FormatInt(ms, 10)
	}
	return "-"
}

// VendorCode is the code as the vendor says it: what follows vendor and level.
func VendorCode(code string) string {
	if parts := strings.SplitN(code, "/", 3); len(parts) == 3 {
		return parts[2]
	}
	return ""
}

// fields are those of a stream's entry.
type fields map[string]any

func (f fields) text(name string) string {
	s, _ := f[name].(string)
	return s
}

// number reads a number; 0: there is none.
func (f fields) number(name string) int64 {
	n, _ := strconv.ParseInt(f.text(name), 10, 64)
	return n
}
