package retry

import (
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
)

// Waits that no vendor documents.
const (
	// slowDown is the least wait after flow control that names no time.
	slowDown = time.Second
	// slowToken is the same where one device has had enough: vendors count
	// messages to a device by the minute.
	slowToken = time.Minute
	// configProbe is how often a stopped (app, vendor) is tried again.
	configProbe = time.Minute
	// authAgain is the wait for a token whose request needs a new access token
	// that could not be had in the same run.
	authAgain = time.Second
)

// Result is one token's answer, looked up.
type Result struct {
	Row classify.Row
	// Uncertain: the vendor may have accepted the token all the same.
	Uncertain bool
	// NoWord: the request tells nothing of the token, so that no attempt counts: no
	// access token could be had for it, or it was a probe that had no answer.
	NoWord bool
	// RetryAfter is what the vendor asked to wait, or 0.
	RetryAfter time.Duration
}

// State is what is known of the token besides.
type State struct {
	// Attempt counts the attempts, this one included, that count.
	Attempt int
	// Tries counts the token's requests, this one included, that ended with the
	// result's row, if the row bounds them (Row.Tries); else it is 0.
	Tries int
	// Tokens is how many tokens shared the request.
	Tokens int
	// AtMostOnce: never again after an uncertain outcome.
	AtMostOnce   bool
	Now, Expires time.Time
	Jitter       float64 // in [0, 1)
	// QuotaReset is the next window of the quota that the answer concerns.
	QuotaReset time.Time
}

// Verdict is what happens next.
type Verdict string

// The verdicts.
const (
	// End gives the token its Outcome.
	End Verdict = "end"
	// Again sends it again at At.
	Again Verdict = "again"
	// Halve sends it again at once, in requests of half the size.
	Halve Verdict = "halve"
)

// Decision is what happens to the token.
type Decision struct {
	Verdict Verdict
	Outcome wire.Outcome // for End
	At      time.Time    // for Again
	// Counted: the attempt counts.
	Counted bool
	// Reason is set for tokens that end dead: DeadAttempts or DeadUnknownOutcome.
	Reason wire.DeadReason
}

// Decide says what happens to a token after an answer.
func Decide(p Policy, r Result, s State) Decision {
	switch r.Row.Remedy {
	case classify.None:
		if r.Row.Class == classify.Success {
			return end(wire.Delivered)
		}
		return end(wire.Dropped)
	case classify.DropToken:
		if r.Row.Class == classify.TokenInvalid {
			return end(wire.Invalid)
		}
		return end(wire.Dropped)
	case classify.DropBatch:
		return end(wire.Dropped)
	case classify.Backoff, classify.RefreshAuth, classify.SlowDown, classify.WaitQuota, classify.Split, classify.Config:
	}
	if s.AtMostOnce && r.Uncertain {
		return Decision{Verdict: End, Outcome: wire.Dead, Counted: true, Reason: wire.DeadUnknownOutcome}
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
		return again(s, max(r.RetryAfter, configProbe)+jittered(configProbe/4, s), false)
	case classify.Backoff, classify.None, classify.DropBatch, classify.DropToken:
	}
	return backOff(p, r, s)
}

// backOff is also what an unknown remedy comes to: it neither deletes nor succeeds.
func backOff(p Policy, r Result, s State) Decision {
	most := p.Attempts
	if r.Row.Tries > 0 {
		most = min(most, r.Row.Tries)
	}
	if r.NoWord {
		return again(s, max(r.RetryAfter, p.Delay(s.Attempt, s.Jitter)), false)
	}
	if s.Attempt >= most {
		return Decision{Verdict: End, Outcome: wire.Dead, Counted: true, Reason: wire.DeadAttempts}
	}
	return again(s, max(r.RetryAfter, p.Delay(s.Attempt, s.Jitter)), true)
}

func end(o wire.Outcome) Decision { return Decision{Verdict: End, Outcome: o, Counted: true} }

// again waits, unless the job expires first.
func again(s State, wait time.Duration, counted bool) Decision {
	at := s.Now.Add(wait)
	if !at.Before(s.Expires) {
		return Decision{Verdict: End, Outcome: wire.Expired, Counted: counted}
	}
	return Decision{Verdict: Again, At: at, Counted: counted}
}

func jittered(d time.Duration, s State) time.Duration { return time.Duration(float64(d) * s.Jitter) }
