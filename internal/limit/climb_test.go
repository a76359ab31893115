package limit

import (
	"testing"
	"time"

	"github.com/postrider/postrider/internal/redistest"
)

func factor(t *testing.T, l *Limiter, want float64) {
	t.Helper()
	st, err := l.State(t.Context(), shop())
	if got := st.Factor; err != nil || got < want-1e-9 || got > want+1e-9 {
		t.Errorf("Factor = %v, %v, want %v", got, err, want)
	}
}

func TestEveryWorkerHasTheLoweredRate(t *testing.T) {
	t.Parallel()
	c := newClock()
	both := timed(redistest.Client(t), c, 2)
	stop(t, both[0], Halt{Kind: TooFast}, time.Second)
	c.forward(time.Second)
	lim := Limit{1000, 1000}
	if wait := take(t, both[1], lim, 1000, false); wait != 0 {
		t.Errorf("the first block waits %v, want 0", wait)
	}
	if wait := take(t, both[1], lim, 1, false); wait < 2*time.Second || wait > 2100*time.Millisecond {
		t.Errorf("the next waits %v, want the 2 s that 1,000 take at half the rate", wait)
	}
}

// work is a tenth of a second's, ten times: each worker takes a permit and, if
// the vendor is well, has a success to tell.
func work(t *testing.T, c *clock, succeeds bool, all ...*Limiter) {
	t.Helper()
	for range 10 {
		c.forward(100 * time.Millisecond)
		for _, l := range all {
			paused(t, l, "", 0, "")
			take(t, l, Limit{1000, 1}, 1, false)
			if succeeds {
				l.Succeeded(shop())
			}
		}
	}
}

func TestTheRateClimbsBackWhileRequestsSucceed(t *testing.T) {
	t.Parallel()
	c := newClock()
	both := timed(redistest.Client(t), c, 2)
	stop(t, both[0], Halt{Kind: TooFast}, time.Second)
	both[0].Succeeded(shop()) // a request from before
	c.forward(time.Second)
	wellAgain(t, both[0])
	work(t, c, false, both...)
	factor(t, both[0], 0.5)
	for range 3 {
		work(t, c, true, both...)
	}
	st, err := both[1].State(t.Context(), shop())
	if want := 0.5 + 3*climb; err != nil || st.Factor < want-climb || st.Factor > want+climb {
		t.Errorf("after three seconds of success Factor = %v, %v, want about %v", st.Factor, err, want)
	}
	for range 40 {
		work(t, c, true, both...)
	}
	factor(t, both[0], 1)
}

func TestAfterAnOutageTheRateClimbsFast(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := timed(redistest.Client(t), c, 1)[0]
	stop(t, l, Halt{Kind: TooFast}, time.Second)
	c.forward(time.Second)
	stop(t, l, Halt{Kind: TooFast, Probe: probe(t, l)}, 2*time.Second)
	c.forward(2 * time.Second)
	factor(t, l, 0.5) // a single request was not too fast
	wellAgain(t, l)
	for range 6 {
		work(t, c, true, l)
	}
	factor(t, l, 1)
	// The next time it is the rate again.
	stop(t, l, Halt{Kind: TooFast}, 2*time.Second)
	c.forward(2 * time.Second)
	wellAgain(t, l)
	for range 4 {
		work(t, c, true, l)
	}
	if st, err := l.State(t.Context(), shop()); err != nil || st.Factor > 0.5+5*climb {
		t.Errorf("Factor = %v, %v, want at most five slow steps over a half", st.Factor, err)
	}
}

func TestSlowDownsInARowLeaveASixtyFourth(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := timed(redistest.Client(t), c, 1)[0]
	want, left := time.Second, 1.0
	for range 9 {
		stop(t, l, Halt{Kind: TooFast}, want)
		left = max(left/2, smallest)
		factor(t, l, left)
		c.forward(want)
		wellAgain(t, l)
		want = min(2*want, 15*time.Second)
	}
	c.forward(calmTime)
	stop(t, l, Halt{Kind: TooFast}, time.Second)
}

func TestAResumedKeyStartsWithItsLoweredRate(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := timed(redistest.Client(t), c, 1)[0]
	stop(t, l, Halt{Kind: TooFast, RetryAfter: time.Hour}, time.Hour)
	if was, err := l.Resume(t.Context(), shop(), ""); err != nil || !was {
		t.Fatal(was, err)
	}
	paused(t, l, "", 0, "")
	c.forward(time.Second)
	l.Succeeded(shop())
	take(t, l, Limit{1000, 1}, 1, false)
	factor(t, l, 0.5+climb)
	if was, err := l.Resume(t.Context(), shop(), ""); err != nil || was {
		t.Errorf("Resume = %v, %v, want that nothing was stopped", was, err)
	}
}
