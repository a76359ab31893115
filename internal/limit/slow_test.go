package limit

import (
	"testing"
	"time"

	"github.com/postrider/postrider/internal/redistest"
)

func slowDown(t *testing.T, l *Limiter, after, want time.Duration) {
	t.Helper()
	until, err := l.SlowDown(t.Context(), shop(), after, "HTTP 503")
	if err != nil || until.Sub(l.now()) != want {
		t.Errorf("SlowDown pauses for %v, %v, want %v", until.Sub(l.now()), err, want)
	}
}

func factor(t *testing.T, l *Limiter, want float64) {
	t.Helper()
	got, err := l.Factor(t.Context(), shop())
	if err != nil || got < want-1e-9 || got > want+1e-9 {
		t.Errorf("Factor = %v, %v, want %v", got, err, want)
	}
}

func TestSlowDownsInARowPauseLongerAndHalveTheRate(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := timed(redistest.Client(t), c, 1)[0]
	factor(t, l, 1)
	want, left := time.Second, 1.0
	for range 9 {
		slowDown(t, l, 0, want)
		left = max(left/2, smallest)
		factor(t, l, left)
		paused(t, l, "", want, "HTTP 503")
		c.forward(want)
		paused(t, l, "", 0, "")
		want = min(2*want, longestPause)
	}
}

func TestAnswersToRequestsFromBeforeThePauseCountOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	both := timed(redistest.Client(t), c, 2)
	slowDown(t, both[0], 0, time.Second)
	for _, l := range both {
		slowDown(t, l, 0, time.Second)
	}
	c.forward(500 * time.Millisecond)
	slowDown(t, both[1], 0, 500*time.Millisecond)
	slowDown(t, both[1], 10*time.Second, 10*time.Second) // but a Retry-After is heard
	factor(t, both[0], 0.5)
	c.forward(10 * time.Second)
	slowDown(t, both[0], 0, 2*time.Second)
	factor(t, both[1], 0.25)
}

func TestARetryAfterIsThePause(t *testing.T) {
	t.Parallel()
	l := timed(redistest.Client(t), newClock(), 1)[0]
	slowDown(t, l, 5*time.Minute, 5*time.Minute)
	paused(t, l, "", 5*time.Minute, "HTTP 503")
}

func TestALongerPauseSurvivesASlowDown(t *testing.T) {
	t.Parallel()
	l := timed(redistest.Client(t), newClock(), 1)[0]
	pause(t, l, "", time.Hour, "wrong credentials")
	slowDown(t, l, 0, time.Second)
	paused(t, l, "", time.Hour, "wrong credentials")
}

func TestEveryWorkerHasTheLoweredRate(t *testing.T) {
	t.Parallel()
	c := newClock()
	both := timed(redistest.Client(t), c, 2)
	slowDown(t, both[0], 0, time.Second)
	c.forward(time.Second)
	lim := Limit{1000, 1000}
	if wait := take(t, both[1], lim, 1000, false); wait != 0 {
		t.Errorf("the first block waits %v, want 0", wait)
	}
	if wait := take(t, both[1], lim, 1, false); wait < 2*time.Second || wait > 2100*time.Millisecond {
		t.Errorf("the next waits %v, want the 2 s that 1,000 take at half the rate", wait)
	}
}

func TestTheRateClimbsBackWhileRequestsSucceed(t *testing.T) {
	t.Parallel()
	c := newClock()
	both := timed(redistest.Client(t), c, 2)
	slowDown(t, both[0], 0, time.Second)
	both[0].Succeeded(shop()) // a request from before the pause
	second := func(succeeds bool) {
		t.Helper()
		for range 10 {
			c.forward(100 * time.Millisecond)
			for _, l := range both {
				if succeeds {
					l.Succeeded(shop())
				}
				take(t, l, Limit{1000, 1}, 1, false)
			}
		}
	}
	c.forward(time.Second)
	take(t, both[0], Limit{1000, 1}, 1, false)
	factor(t, both[0], 0.5)
	second(false)
	factor(t, both[0], 0.5)
	second(true) // the pause had been over for more than a second: that one counts as one
	second(true)
	got, err := both[1].Factor(t.Context(), shop())
	if want := 0.5 + 3*climb; err != nil || got < want-climb || got > want+climb/100 {
		t.Errorf("after two seconds of success Factor = %v, %v, want about %v", got, err, want)
	}
	for range 40 {
		second(true)
	}
	factor(t, both[0], 1)
	slowDown(t, both[0], 0, time.Second) // the first in a row again
}

func TestASuccessFromBeforeThePauseDoesNotEndTheRow(t *testing.T) {
	t.Parallel()
	c := newClock()
	both := timed(redistest.Client(t), c, 2)
	slowDown(t, both[0], 0, time.Second)
	both[0].Succeeded(shop())                       // it knows of the pause
	both[1].Succeeded(shop())                       // it does not
	take(t, both[1], Limit{1000, 1}, 1, false)      // and tells Redis
	paused(t, both[1], "", time.Second, "HTTP 503") // now it does
	both[1].Succeeded(shop())
	c.forward(time.Second)
	for _, l := range both {
		c.forward(10 * time.Millisecond)
		take(t, l, Limit{1000, 1}, 1, false)
	}
	slowDown(t, both[0], 0, 2*time.Second)
}

func TestAResumedKeyStartsAnewWithItsLoweredRate(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := timed(redistest.Client(t), c, 1)[0]
	slowDown(t, l, time.Hour, time.Hour)
	if err := l.Resume(t.Context(), shop(), ""); err != nil {
		t.Fatal(err)
	}
	c.forward(time.Second)
	l.Succeeded(shop())
	take(t, l, Limit{1000, 1}, 1, false)
	factor(t, l, 0.5+climb)
}
