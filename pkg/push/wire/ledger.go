package wire

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Outcome is where a token ended.
type Outcome string

// The outcomes. A token without one is Pending.
const (
	Pending   Outcome = "pending"
	Delivered Outcome = "delivered" // the vendor accepted it
	Invalid   Outcome = "invalid"   // the vendor called the token invalid; it is in the feed
	Dropped   Outcome = "dropped"   // the message was refused for good
	Expired   Outcome = "expired"
	Dead      Outcome = "dead" // given up; it is in the dead letters
	Canceled  Outcome = "canceled"
)

// Outcomes lists every outcome that ends a token.
func Outcomes() []Outcome {
	return []Outcome{Delivered, Invalid, Dropped, Expired, Dead, Canceled}
}

// Fields of a ledger that is a hash. Outcomes are fields of their own names,
// and codes are fields like "huawei/response/80000000".
const (
	FieldState    = "state"
	FieldApp      = "app"
	FieldAccepted = "accepted"
	FieldCreated  = "created"  // Unix seconds
	FieldEnded    = "ended"    // Unix seconds
	FieldKeep     = "keep"     // seconds to keep the ledger after the end, at least
	FieldDigest   = "digest"   // of everything but the targets
	FieldPriority = "priority" // of a job that is enqueued in parts
	FieldOwner    = "owner"    // who created it; once all its tasks exist, who completed it
)

// Receipt is what a receipt counts as in a ledger, in addition to the outcomes.
type Receipt string

// The receipts. In a ledger that is a hash they are fields "receipts:arrived".
const (
	Arrived Receipt = "arrived"
	Clicked Receipt = "clicked"
	Failed  Receipt = "failed"
)

// Receipts lists them all.
func Receipts() []Receipt { return []Receipt{Arrived, Clicked, Failed} }

// Field is the field in which a ledger that is a hash counts it.
func (r Receipt) Field() string { return "receipts:" + string(r) }

// Word is how a single ledger notes it: "+a", "+c" or "+f".
func (r Receipt) Word() string { return "+" + string(r)[:1] }

// States of a ledger that is a hash.
const (
	Staging   = "staging"  // chunks are being written; no task exists
	Sealed    = "sealed"   // all chunks are there; tasks are being enqueued
	Running   = "running"  // all tasks were enqueued
	Done      = "done"     // every token has its outcome
	Canceling = "canceled" // what is not sent yet will not be
)

// letters are those of the outcomes in a single ledger.
var letters = map[Outcome]string{
	Pending: "p", Delivered: "d", Invalid: "i", Dropped: "r", Expired: "x", Dead: "e", Canceled: "c",
}

// CanceledSingle is the letter of a single job that was canceled but has no outcome yet.
const CanceledSingle = "q"

// Letter is how a single ledger writes the outcome.
func (o Outcome) Letter() string { return letters[o] }

// LedgerVersion is the newest version of single ledgers that this build reads, and
// the one that it writes.
const LedgerVersion = 1

// Single is the ledger of a job with one token, kept as one short string
//
//	"1" letter number " " app { " " code [ "=" n ] | " +" receipt }
//
// where number, in base 36, is the keep time in seconds while the token is pending,
// and the Unix second of its end afterwards; code is a ShortCode, and
// receipt the first letter of a Receipt, each at most once. Codes are written
// together with the outcome; an earlier version wrote them before it, too, so a
// code may occur twice: then the counts are added.
type Single struct {
	Outcome Outcome
	// Canceling: canceled while pending.
	Canceling bool
	App       string
	Keep      time.Duration // while pending: how long to keep it afterwards, at least
	Ended     time.Time     // afterwards
	Codes     map[string]int
	// Receipts are those that arrived; nil: none.
	Receipts []Receipt
}

// Encode writes the ledger.
func (l Single) Encode() string {
	number := int64(l.Keep / time.Second)
	letter := l.Outcome.Letter()
	if l.Outcome != Pending {
		number = l.Ended.Unix()
	} else if l.Canceling {
		letter = CanceledSingle
	}
	var b strings.Builder
	b.WriteString(strconv.Itoa(LedgerVersion) + letter + strconv.FormatInt(number, 36) + " " + l.App)
	for code, n := range l.Codes {
		b.WriteString(" " + ShortCode(code))
		if n != 1 {
			b.WriteString("=" + strconv.Itoa(n))
		}
	}
	for _, r := range l.Receipts {
		b.WriteString(" " + r.Word())
	}
	return b.String()
}

// DecodeSingle reads a single ledger.
func DecodeSingle(s string) (Single, error) {
	if s == "" || s[0] < '1' || s[0] > '9' {
		return Single{}, errors.New("decode ledger: not a ledger")
	}
	if s[0] > '0'+LedgerVersion {
		return Single{}, fmt.Errorf("decode ledger: version %c: %w", s[0], ErrNewer)
	}
	parts := strings.Split(s, " ")
	if len(parts) < 2 || len(parts[0]) < 2 {
		return Single{}, errors.New("decode ledger: cut off")
	}
	l := Single{App: parts[1], Codes: map[string]int{}}
	letter := parts[0][1:2]
	for o, have := range letters {
		if have == letter {
			l.Outcome = o
		}
	}
	if letter == CanceledSingle {
		l.Outcome, l.Canceling = Pending, true
	}
	number, err := strconv.ParseInt(parts[0][2:], 36, 64)
	if err != nil || l.Outcome == "" || number < 0 || number > math.MaxInt64/int64(time.Second) {
		return Single{}, errors.New("decode ledger: no outcome or no number")
	}
	if l.Outcome == Pending {
		l.Keep = time.Duration(number) * time.Second
	} else {
		l.Ended = time.Unix(number, 0)
	}
	for _, p := range parts[2:] {
		if r, ok := receiptWord(p); ok {
			l.Receipts = append(l.Receipts, r)
			continue
		}
		code, count, counted := strings.Cut(p, "=")
		n := 1
		if counted {
			if n, err = strconv.Atoi(count); err != nil {
				return Single{}, errors.New("decode ledger: a code's count is no number")
			}
		}
		l.Codes[longCode(code)] += n
	}
	return l, nil
}

func receiptWord(word string) (Receipt, bool) {
	for _, r := range Receipts() {
		if word == r.Word() {
			return r, true
		}
	}
	return "", false
}
