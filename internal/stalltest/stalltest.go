// Package stalltest measures how busy the machine is while a test measures
// something else. It knows only the timers of this process.
package stalltest

import (
	"context"
	"testing"
	"time"
)

// tick is the planned time between two wake-ups.
const tick = 2 * time.Millisecond

// Watch measures how late this process wakes up, until stop is called or the test
// ends; stop returns the longest delay.
func Watch(tb testing.TB) (stop func() time.Duration) {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	worst := make(chan time.Duration, 1)
	go func() {
		late := time.Duration(0)
		for last := time.Now(); ctx.Err() == nil; last = time.Now() {
			<-time.After(tick)
			late = max(late, time.Since(last)-tick)
		}
		worst <- late
	}()
	return func() time.Duration {
		cancel()
		return <-worst
	}
}
