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
	// slowest is the longest of these waits, which double with every try.
	slowest = 15 * time.Minute
	// configProbe is how soon after a configuration error it is tried again, and
	// longestProbe the longest of these waits.
	configProbe, longestProbe = time.Minute, 30 * time.Minute
	// authAgain is the wait for a token whose request needs a new access token
	// that could not be had in the same run.
	authAgain = time.Second
)

// Result is one token's answer, looked up, and how it came about.
type Result struct {
	Row classify.Row
	// Uncertain: the vendor may have accepted the token all the same.
	Uncertain bool
	// Grant: it answers the request for an access token. Nothing was sent.
	Grant bool
	// Refused: it refuses an access token, and there is no other to try.
	Refused bool
	// Probe: the request was to show whether a stopped app may go on.
	Probe bool
	// Inconclusive: what was needed for the request could not be had, for no
	// reason of the vendor's. Nothing was sent.
	Inconclusive bool
	// Messages and Jobs are how many different messages shared the request, and of
	// how many jobs; 0 is 1.
	Messages, Jobs int
	// RetryAfter is what the vendor asked to wait, or what a stopped app or a
	// parked job waits for; 0: nothing.
	RetryAfter time.Duration
}

// Reading is the row as the circumstances have it: what a code means depends on
// what it answers.
func (r Result) Reading() classify.Row {
	row := r.Row
	lasting := row.Remedy == classify.RefreshAuth || row.Class == classify.Permanent || row.Class == classify.TokenInvalid
	atFault := row.Remedy == classify.DropBatch || row.Remedy == classify.Config && r.Jobs > 1
	switch {
	case r.Grant && lasting, r.Refused && row.Remedy == classify.RefreshAuth:
		// Whatever is wrong, it is neither the message nor its tokens.
		row.Class, row.Remedy, row.Scope = classify.Permanent, classify.Config, classify.ScopeApp
	case r.Messages > 1 && row.Scope == classify.ScopeBatch && atFault:
		// One of the messages is at fault, nobody knows which: halve until it is alone.
		row.Class, row.Remedy, row.Tries = classify.Permanent, classify.Split, 0
	}
	return row
}

// free tells whether the request says nothing of the token, so that no attempt counts.
func (r Result) free() bool {
	return r.Grant || r.Inconclusive || r.Probe && r.Row.Level == classify.Transport
}

// Counts tells whether Decide needs State.Tries for a row: its tries are bounded,
// or its waits grow with them.
func Counts(row classify.Row) bool {
	switch row.Remedy {
	case classify.SlowDown:
		return row.Tries > 0 || row.Scope != classify.ScopeApp
	case classify.Config:
		return row.Tries > 0 || row.Scope == classify.ScopeToken
	case classify.Backoff, classify.RefreshAuth, classify.WaitQuota, classify.None, classify.Split, classify.DropBatch, classify.DropToken:
	}
	return row.Tries > 0
}

// State is what is known of the token besides.
type State struct {
	// Attempt counts the attempts, this one included, that count.
	Attempt int
	// Tries counts the token's requests, this one included, that ended with the
	// result's row, if Counts says so of it; else, and where nothing was sent, it is 0.
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
	r.Row = r.Reading()
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
		least := doubled(configProbe, longestProbe, s.Tries)
		return again(s, max(r.RetryAfter, least)+jittered(least/4, s), false)
	case classify.Backoff, classify.None, classify.DropBatch, classify.DropToken:
	}
	return backOff(p, r, s)
}

// backOff is also what an unknown remedy comes to: it neither deletes nor succeeds.
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

// doubled is the wait after so many tries, of which the first has the least.
func doubled(least, longest time.Duration, tries int) time.Duration {
	return min(least<<min(max(tries-1, 0), 16), longest)
}

func jittered(d time.Duration, s State) time.Duration { return time.Duration(float64(d) * s.Jitter) }
