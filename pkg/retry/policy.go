// Package retry decides what happens after an answer: Decide says what happens to
// the token, SignalOf what the answer means for other requests. No other package
// decides that. The package is pure: it reads no clock, uses neither Redis nor a
// log, and draws no random numbers; the caller passes time and randomness as values.
package retry

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Policy says how often and how soon a request is repeated.
type Policy struct {
	// Attempts is the largest number of requests for a token, the first included.
	// Requests that got flow control, a quota or a configuration error do not count.
	Attempts int
	// First is the wait after the first attempt; it doubles up to Max.
	First, Max time.Duration
}

// Default returns the policy that applies if the configuration has none: eight
// requests within about two minutes.
func Default() Policy { return Policy{Attempts: 8, First: time.Second, Max: 10 * time.Minute} }

// Delay returns the wait after the given attempt, which counts from 1. jitter in
// [0, 1) spreads it between half the full wait and the full wait.
func (p Policy) Delay(attempt int, jitter float64) time.Duration {
	b := backoff.ExponentialBackOff{
		InitialInterval: p.First, MaxInterval: p.Max, Multiplier: 2, Stop: backoff.Stop, Clock: backoff.SystemClock,
	}
	b.Reset()
	var full time.Duration
	for range min(attempt, 64) {
		full = b.NextBackOff()
	}
	return full/2 + time.Duration(float64(full/2)*jitter)
}
