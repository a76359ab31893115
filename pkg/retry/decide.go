package retry

import (
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
)

// Waits that no vendor documents.
const (
	// slowDown is the shortest wait after flow control that names no time.
	slowDown = time.Second
	// slowToken is the shortest wait after flow control of one device: vendors
	// count messages to a device by the minute.
	slowToken = time.Minute
	// slowest is the longest of these waits, which double with every try.
	slowest = 15 * time.Minute
	// configFirst and configLongest are the first and the longest wait after a
	// configuration error.
	configFirst, configLongest = time.Minute, 30 * time.Minute
	// authAgain is the wait of a token whose request needs a new access token, if
	// the same run could not get one.
	authAgain = time.Second
)

// State is what is known about the token apart from its result.
type State struct {
	// Attempt counts the token's attempts, this one included. Attempts without
	// Decision.Counted are left out.
	Attempt int
	// Tries counts the token's requests, this one included, that ended with the
	// result's row. It is 0 unless Result.CountsTries.
	Tries int
	// Tokens is how many tokens shared the request.
	Tokens int
	// AtMostOnce: the token is never sent again after an uncertain outcome.
	AtMostOnce   bool
	Now, Expires time.Time
	Jitter       float64 // in [0, 1)
	// QuotaReset is the beginning of the next window of the quota that the answer
	// is about.
	QuotaReset time.Time
	// ParkedUntil is the time until which the gate has parked the token's job
	// because of the result. Zero: it has not parked the job.
	ParkedUntil time.Time
}

// Verdict is what happens next.
type Verdict string

// The verdicts.
const (
	// End gives the token its Outcome.
	End Verdict = "end"
	// Again sends it again at At.
	Again Verdict = "again"
	// Wait leaves it with its parked job, and asks the gate again at At.
	Wait Verdict = "wait"
	// Halve sends it again at once, in requests of half the size.
	Halve Verdict = "halve"
)

// Decision is what happens to the token.
type Decision struct {
	Verdict Verdict
	Outcome wire.Outcome // for End
	At      time.Time    // for Again and Wait
	// Counted: the attempt counts.
	Counted bool
	// Judged: the vendor accepted the token or called it bad. What happens to a
	// refused message says nothing about its tokens.
	Judged bool
	// Reason is set for tokens that end dead: DeadAttempts or DeadUnknownOutcome.
	Reason wire.DeadReason
	// Class and Remedy are those of the row after Result.reading.
	Class  classify.Class
	Remedy classify.Remedy
}

// Decide says what happens to a token after an answer. testdata/decide.golden
// lists every case.
func Decide(p Policy, r Result, s State) Decision {
	r.Row = r.reading()
	d := decide(p, r, s)
	d.Class, d.Remedy = r.Row.Class, r.Row.Remedy
	d.Judged = d.Outcome == wire.Delivered || d.Remedy == classify.DropToken
	if d.Verdict == Again && !s.ParkedUntil.IsZero() {
		d.Verdict, d.At = Wait, earlier(later(d.At, s.ParkedUntil), s.Expires)
	}
	return d
}

// decide is Decide for a result after reading, and a job that is not parked.
func decide(p Policy, r Result, s State) Decision {
	if !repeats(r.Row.Remedy) {
		return end(ending(r.Row))
	}
	if s.AtMostOnce && r.Uncertain {
		return dead(wire.DeadUnknownOutcome)
	}
	if r.Row.Tries > 0 && s.Tries >= r.Row.Tries {
		return dead(wire.DeadAttempts)
	}
	switch r.Row.Remedy {
	case classify.Split:
		if s.Tokens > 1 {
			return Decision{Verdict: Halve}
		}
		return end(wire.Dropped)
	case classify.SlowDown:
		least := slowDown
		if r.Row.Scope == classify.ScopeToken {
			least = slowToken
		}
		least = doubled(least, slowest, s.Tries)
		return again(s, max(r.RetryAfter, least+jittered(least, s)), false)
	case classify.WaitQuota:
		wait := max(s.QuotaReset.Sub(s.Now), slowDown)
		if spread := wait + jittered(time.Minute, s); s.Now.Add(spread).Before(s.Expires) {
			wait = spread
		}
		return again(s, wait, false)
	case classify.RefreshAuth:
		return again(s, authAgain, false)
	case classify.Config:
		least := doubled(configFirst, configLongest, s.Tries)
		return again(s, max(r.RetryAfter, least)+jittered(least/4, s), false)
	case classify.Backoff, classify.None, classify.DropBatch, classify.DropToken:
	}
	return backOff(p, r, s)
}

// repeats reports whether a remedy may send the token again. It is true for an
// unknown remedy, so that no token is deleted or counted as sent.
func repeats(m classify.Remedy) bool {
	return m != classify.None && m != classify.DropToken && m != classify.DropBatch
}

// ending returns the outcome of a row whose remedy sends no token again.
func ending(row classify.Row) wire.Outcome {
	switch {
	case row.Remedy == classify.None && row.Class == classify.Success:
		return wire.Delivered
	case row.Remedy == classify.DropToken && row.Class == classify.TokenInvalid:
		return wire.Invalid
	}
	return wire.Dropped
}

// backOff decides for the remedy backoff and for unknown remedies.
func backOff(p Policy, r Result, s State) Decision {
	counted := !r.free()
	if counted && s.Attempt >= p.Attempts {
		return dead(wire.DeadAttempts)
	}
	return again(s, max(r.RetryAfter, p.Delay(s.Attempt, s.Jitter)), counted)
}

func end(o wire.Outcome) Decision { return Decision{Verdict: End, Outcome: o, Counted: true} }

func dead(why wire.DeadReason) Decision {
	return Decision{Verdict: End, Outcome: wire.Dead, Counted: true, Reason: why}
}

// again waits, unless the job expires first.
func again(s State, wait time.Duration, counted bool) Decision {
	at := s.Now.Add(wait)
	if !at.Before(s.Expires) {
		return Decision{Verdict: End, Outcome: wire.Expired, Counted: counted}
	}
	return Decision{Verdict: Again, At: at, Counted: counted}
}

// doubled returns the wait after a number of tries: least after the first, and
// twice as long after each further try, up to longest.
func doubled(least, longest time.Duration, tries int) time.Duration {
	return min(least<<min(max(tries-1, 0), 16), longest)
}

func jittered(d time.Duration, s State) time.Duration { return time.Duration(float64(d) * s.Jitter) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
