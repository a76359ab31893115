package dispatch

import (
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
)

// apply decides for every token of the call's parcels.
func (d *Dispatcher) apply(a call, ans answer) {
	p := a.s
	now, i, n := d.Now(), 0, p.count()
	spans := p.spans()
	for k := range spans {
		s := &spans[k]
		s.c.mu.Lock()
		e := s.c.open.Chunk.Entries[s.entry]
		state := retry.State{
			Tokens: n, AtMostOnce: e.AtMostOnce, Now: now, Expires: time.UnixMilli(e.Expires), Jitter: jitter(),
		}
		d.applySpan(a, s, state, ans, i)
		i += len(s.tokens)
		s.c.mu.Unlock()
	}
}

// applySpan decides for the tokens of one span, of which the first is number
// base of the request. Tokens of the same row and attempt share a decision.
func (d *Dispatcher) applySpan(a call, s *span, state retry.State, ans answer, base int) {
	var last retry.Decision
	var lastRow *verdictRow
	common := &ans.row
	lastAttempt, lastTries := -1, 0
	var back putBacks
	job := s.c.job(s.entry)
	codes, delivered := 0, 0 // not counted in job yet: of lastRow, of all
	for i, token := range s.tokens {
		row := common
		if special, ok := ans.special[base+i]; ok {
			row = special
		}
		at := s.place(i)
		s.c.unmark(at)
		attempt := min(int(s.c.states[at])+1, wire.MaxAttempts)
		tries := 0
		if retry.Counts(row.Row) && !ans.unsent {
			tries = s.c.tries(row, at)
		}
		if row != lastRow || attempt != lastAttempt || tries != lastTries {
			if codes > 0 {
				job.Codes[lastRow.key] += codes
				codes = 0
			}
			state.Attempt, state.Tries, state.QuotaReset = attempt, tries, row.Window.Next(state.Now)
			last = retry.Decide(d.Policy, a.s.result(a.ticket, &ans, row), state)
			lastRow, lastAttempt, lastTries = row, attempt, tries
		}
		codes++
		if last.Verdict == retry.End && last.Outcome == wire.Delivered {
			s.c.resolve(at)
			delivered++
			continue
		}
		if last.Verdict == retry.End {
			s.c.end(s.entry, at, token, last, row)
			continue
		}
		back.add(row.Row)
		if tries > 0 {
			s.c.tried(row, at)
		}
		s.c.putBack(at, attempt, last, row, state)
	}
	if codes > 0 {
		job.Codes[lastRow.key] += codes
	}
	if delivered > 0 {
		job.Outcomes[wire.Delivered] += delivered
		s.c.step.Answered += delivered
	}
	for _, b := range back {
		d.Meter.Again(a.App, a.Spec.Name, b.row, b.tokens)
	}
}

// result is what the row is to the tokens that got it.
func (s shipment) result(t Admission, ans *answer, row *verdictRow) retry.Result {
	r := retry.Result{
		Row: row.Row, Uncertain: !ans.unsent && row.Uncertain(), RetryAfter: ans.retryAfter,
		Grant: ans.grant, Refused: ans.refused, Probe: t.Probe != "", Inconclusive: ans.inconclusive,
	}
	if row == &ans.row {
		r.Messages, r.Jobs = len(s), ans.jobs
	}
	return r
}

// putBacks counts tokens that are to be sent again by what is done about them.
type putBacks []struct {
	row    classify.Row
	tokens int
}

func (b *putBacks) add(row classify.Row) {
	for i := range *b {
		if (*b)[i].row.Remedy == row.Remedy {
			(*b)[i].tokens++
			return
		}
	}
	*b = append(*b, struct {
		row    classify.Row
		tokens int
	}{row, 1})
}

// putBack notes that a token is to be sent again.
func (c *claim) putBack(at, attempt int, d retry.Decision, row *verdictRow, s retry.State) {
	if d.Counted {
		c.states[at] = byte(attempt)
	}
	reason := row.key + ": " + row.reason()
	switch {
	case d.Verdict == retry.Halve:
		c.cap = max(1, s.Tokens/2)
		c.later(s.Now, reason, d.Counted)
	case !row.until.IsZero():
		c.holdLocked(earlier(latest(d.At, row.until), s.Expires), reason)
	default:
		c.later(d.At, reason, d.Counted)
	}
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
