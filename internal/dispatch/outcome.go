package dispatch

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
)

// skippedCode is the code, after the vendor, of tokens that are not sent because
// they are known to be invalid. No vendor says it, so it has a level of our own.
// It is a stored format.
const skippedCode = "/postrider/suppressed"

// skipInvalid ends the tokens that were found invalid after their jobs' start.
// They are in the feed already. For a job that starts later they are sent: the
// phone may have registered again.
func (d *Dispatcher) skipInvalid(ctx context.Context, c *claim) error {
	if d.Gone == nil || c.remaining() == 0 {
		return nil
	}
	invalid, err := d.Gone.Dead(ctx, c.header.App, c.vendor, c.open.Chunk.Entries)
	if err != nil {
		return fmt.Errorf("look for invalid tokens of chunk %s: %w", c.open.Ref, err)
	}
	if invalid != nil {
		c.skip(invalid)
	}
	return nil
}

// skip ends the tokens for whose places invalid is true.
func (c *claim) skip(invalid []bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t := range c.unresolvedLocked() {
		if !invalid[t.at] {
			continue
		}
		j := c.jobLocked(t.entry)
		j.Outcomes[wire.Invalid]++
		j.Codes[c.vendor+skippedCode]++
		c.resolveLocked(t.at)
	}
}

// endUnsendable ends the tokens that are not to be sent: of canceled and expired
// jobs, and of at-most-once jobs whose earlier request has no known outcome.
func (c *claim) endUnsendable(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.anyUnsendable(now) {
		return
	}
	entry, outcome := -1, wire.Pending
	for t := range c.unresolvedLocked() {
		if t.entry != entry {
			entry, outcome = t.entry, c.unsendable(t.entry, now)
		}
		switch {
		case c.open.Settled[entry]: // its outcome is in its ledger already
			c.changeLocked()
			c.resolveLocked(t.at)
		case c.states[t.at] == wire.Sent:
			c.endLocked(t, retry.Decision{Outcome: wire.Dead, Reason: wire.DeadUnknownOutcome}, nil, "")
		case outcome != wire.Pending:
			c.endLocked(t, retry.Decision{Outcome: outcome}, nil, "")
		}
	}
}

// anyUnsendable reports whether endUnsendable has anything to end. Mostly it has
// not, and need not look at every token.
func (c *claim) anyUnsendable(now time.Time) bool {
	for i := range c.open.Chunk.Entries {
		if c.open.Settled[i] || c.unsendable(i, now) != wire.Pending {
			return true
		}
	}
	return bytes.IndexByte(c.states, wire.Sent) >= 0
}

// unsendable is the outcome of an entry whose job is over; Pending: it is not.
func (c *claim) unsendable(entry int, now time.Time) wire.Outcome {
	switch {
	case c.open.Canceled[entry]:
		return wire.Canceled
	case now.UnixMilli() >= c.open.Chunk.Entries[entry].Expires:
		return wire.Expired
	}
	return wire.Pending
}

// endAll gives all that is left of the chunk the same outcome.
func (c *claim) endAll(as retry.Decision, detail string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t := range c.unresolvedLocked() {
		c.endLocked(t, as, nil, detail)
	}
}

// end gives the segment's tokens an outcome for which the vendor was not asked.
func (c *claim) end(s *segment, as retry.Decision) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, text := range s.Tokens {
		c.endLocked(token{s.Index, s.Place(i), text}, as, nil, "")
	}
}

// resolveLocked notes that a token has its outcome.
func (c *claim) resolveLocked(at int) {
	c.states[at] = wire.Resolved
	c.left--
}

// endLocked gives a token an outcome other than delivered. row is what the vendor
// said; nil: it was not asked. detail is for the dead letter, if it is one.
func (c *claim) endLocked(t token, d retry.Decision, row *lookedUp, detail string) {
	j := c.jobLocked(t.entry)
	j.Outcomes[d.Outcome]++
	step := c.changes.step
	if d.Judged {
		step.Answered++
	}
	attempts := int(c.states[t.at])
	if row != nil {
		attempts++
	}
	c.resolveLocked(t.at)
	switch d.Outcome {
	case wire.Invalid:
		step.Invalid = append(step.Invalid, ledger.InvalidToken{
			App: c.header.App, Vendor: c.vendor, Token: t.text, Code: row.key, Reason: row.reason(), Job: j.Job, Action: string(row.Row.Action),
			At: row.asked,
		})
	case wire.Dead:
		c.dead++
		c.addDeadLetter(t, c.deadLetter(t, d, row, detail, attempts))
	case wire.Delivered, wire.Dropped, wire.Expired, wire.Canceled, wire.Pending:
	}
}

// addDeadLetter adds a token's dead letter. Tokens that follow each other and
// differ in nothing else share one.
func (c *claim) addDeadLetter(t token, letter ledger.DeadLetter) {
	dead := c.changes.step.Dead
	if n := len(dead); n > 0 {
		letter.Tokens = dead[n-1].Tokens
		if dead[n-1] == letter {
			dead[n-1].Tokens += "\n" + t.text
			return
		}
	}
	letter.Tokens = t.text
	c.changes.step.Dead = append(dead, letter)
}

// deadLetter is a token's dead letter without the token.
func (c *claim) deadLetter(t token, d retry.Decision, row *lookedUp, detail string, attempts int) ledger.DeadLetter {
	e := c.entry(t)
	letter := ledger.DeadLetter{
		App: c.header.App, Vendor: c.vendor, Job: e.Job, Reason: d.Reason, Detail: detail, Attempts: attempts,
		Message: c.message(e), Priority: string(c.priority), Delivery: string(push.AtLeastOnce), Start: e.Start, Expires: e.Expires,
		Key: c.replayKey(e, t.at),
	}
	if e.AtMostOnce {
		letter.Delivery = string(push.AtMostOnce)
	}
	if attempts >= wire.Sent {
		letter.Attempts = 1
	}
	if row != nil {
		letter.Code, letter.Class = row.key, string(d.Class)
	}
	return letter
}

// message is the entry's message, encoded.
func (c *claim) message(e *wire.Entry) string {
	if e.Message < 0 {
		return c.open.Message
	}
	return c.open.Chunk.Messages[e.Message]
}
