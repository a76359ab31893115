package limit

import (
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/redistest"
)

const why = "HTTP 503"

// stop stops, and the pause is to be want.
func stop(t *testing.T, l *Limiter, h Halt, want time.Duration) (news bool) {
	t.Helper()
	h.Reason = why
	until, news, err := l.Stop(t.Context(), shop(), h)
	left := until.Sub(l.now())
	if until.IsZero() {
		left = 0
	}
	if err != nil || left != want {
		t.Errorf("%s stops for %v, %v, want %v", h.Kind, left, err, want)
	}
	return news
}

// probe becomes the one request that goes through.
func probe(t *testing.T, l *Limiter) string {
	t.Helper()
	p := l.Pass(t.Context(), shop(), nil, 10*time.Second)
	if p.Probe == "" {
		t.Fatalf("got %+v, want to be the probe", p)
	}
	return p.Probe
}

// wellAgain probes, and the vendor is well.
func wellAgain(t *testing.T, l *Limiter) {
	t.Helper()
	if ended, err := l.Well(t.Context(), shop(), probe(t, l)); err != nil || !ended {
		t.Fatalf("Well = %v, %v, want the stop ended", ended, err)
	}
}

func TestPausesOfAStopGrowUntilAProbeIsWell(t *testing.T) {
	t.Parallel()
	sec := time.Second
	for kind, want := range map[Kind][]time.Duration{
		TooFast:       {sec, 2 * sec, 4 * sec, 8 * sec, 15 * sec, 15 * sec},
		Unreachable:   {sec, 2 * sec, 4 * sec, 8 * sec, 15 * sec, 15 * sec},
		Misconfigured: {60 * sec, 120 * sec, 240 * sec, 480 * sec, 960 * sec, 1800 * sec, 1800 * sec},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			c := newClock()
			both := timed(redistest.Client(t), c, 2)
			for range rules[kind].faults - 1 {
				stop(t, both[0], Halt{Kind: kind}, 0)
			}
			h := Halt{Kind: kind}
			for i, d := range want {
				if news := stop(t, both[i%2], h, d); news != (i == 0) {
					t.Errorf("pause %d is news: %v", i+1, news)
				}
				c.forward(d - time.Millisecond)
				paused(t, both[1-i%2], "", time.Millisecond, why)
				c.forward(time.Millisecond)
				h.Probe = probe(t, both[1-i%2])
			}
			if ended, err := both[0].Well(t.Context(), shop(), h.Probe); err != nil || !ended {
				t.Errorf("Well = %v, %v, want the stop ended", ended, err)
			}
			for _, l := range both {
				c.forward(freshTime)
				paused(t, l, "", 0, "")
			}
		})
	}
}

func TestOneOfAllWorkersHasTheProbe(t *testing.T) {
	t.Parallel()
	c := newClock()
	all := timed(redistest.Client(t), c, 8)
	stop(t, all[0], Halt{Kind: Misconfigured}, time.Minute)
	c.forward(time.Minute)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var probes []string
	ask := func() {
		for _, l := range all {
			for range 8 {
				wg.Go(func() {
					p := l.Pass(t.Context(), shop(), nil, 10*time.Second)
					mu.Lock()
					defer mu.Unlock()
					if p.Probe != "" {
						probes = append(probes, p.Probe)
					} else if p.Until.IsZero() || p.Why != why {
						t.Errorf("got %+v, want to wait for the probe's answer", p)
					}
				})
			}
		}
		wg.Wait()
	}
	want := func(name string, n int) {
		t.Helper()
		ask()
		if len(probes) != n {
			t.Errorf("%s: %d probes, want %d", name, len(probes), n)
		}
	}
	want("when the pause is over", 1)
	c.forward(9 * time.Second)
	want("while its answer is waited for", 1)
	c.forward(time.Second)
	want("when it was waited for long enough", 2)
	if err := all[3].Release(t.Context(), shop(), probes[0]); err != nil {
		t.Error(err)
	}
	c.forward(slowAgain)
	want("when the first one is given back at last", 2)
	if err := all[3].Release(t.Context(), shop(), probes[1]); err != nil {
		t.Error(err)
	}
	c.forward(probeAgain)
	want("when the second one is", 3)
}

func TestWaitingForAProbeAsksSeldom(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	c := newClock()
	l := timed(client, c, 1)[0]
	stop(t, l, Halt{Kind: TooFast}, time.Second)
	c.forward(time.Second)
	probe(t, l)
	calls := 0
	client.AddHook(counter{&calls})
	for range 1000 { // one second
		c.forward(time.Millisecond)
		l.Pass(t.Context(), shop(), nil, 10*time.Second)
	}
	if calls > 21 {
		t.Errorf("1,000 questions in a second took %d calls, want 20", calls)
	}
}

func TestAnswersToRequestsFromBeforeAStopCountOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	both := timed(redistest.Client(t), c, 2)
	stop(t, both[0], Halt{Kind: TooFast}, time.Second)
	for _, l := range both {
		if stop(t, l, Halt{Kind: TooFast}, time.Second) {
			t.Error("it is news a second time")
		}
	}
	c.forward(500 * time.Millisecond)
	stop(t, both[1], Halt{Kind: TooFast}, 500*time.Millisecond)
	stop(t, both[1], Halt{Kind: Unreachable}, 500*time.Millisecond)
	stop(t, both[1], Halt{Kind: TooFast, RetryAfter: 10 * time.Second}, 10*time.Second) // but a Retry-After is heard
	factor(t, both[0], 0.5)
	if ended, err := both[1].Well(t.Context(), shop(), ""); ended || err != nil {
		t.Errorf("a success from before ended it: %v, %v", ended, err)
	}
	c.forward(10 * time.Second)
	stop(t, both[0], Halt{Kind: TooFast}, 0) // late, when a probe may already go
	stop(t, both[0], Halt{Kind: TooFast, Probe: probe(t, both[1])}, 2*time.Second)
	factor(t, both[1], 0.5)
}

func TestAConfigurationErrorReplacesOtherStops(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := timed(redistest.Client(t), c, 1)[0]
	stop(t, l, Halt{Kind: TooFast}, time.Second)
	if !stop(t, l, Halt{Kind: Misconfigured}, time.Minute) {
		t.Error("it is no news")
	}
	stop(t, l, Halt{Kind: TooFast}, time.Minute)
	c.forward(time.Minute)
	stop(t, l, Halt{Kind: Misconfigured, Probe: probe(t, l)}, 2*time.Minute)
}

func TestFailuresInARowOpenTheCircuit(t *testing.T) {
	t.Parallel()
	c := newClock()
	both := timed(redistest.Client(t), c, 2)
	const least = 10
	for i := range least - 1 {
		stop(t, both[i%2], Halt{Kind: Unreachable}, 0)
		paused(t, both[i%2], "", 0, "")
	}
	if ended, err := both[0].Well(t.Context(), shop(), ""); ended || err != nil {
		t.Error(ended, err)
	}
	for i := range least - 1 {
		stop(t, both[i%2], Halt{Kind: Unreachable}, 0)
	}
	factor(t, both[0], 1)
	if !stop(t, both[0], Halt{Kind: Unreachable}, time.Second) {
		t.Error("the tenth in a row is no news")
	}
	factor(t, both[0], 1)
	c.forward(freshTime)
	paused(t, both[1], "", time.Second-freshTime, why)
}

func TestSuccessesMakeNoCall(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	l := timed(client, newClock(), 1)[0]
	paused(t, l, "", 0, "")
	calls := 0
	client.AddHook(counter{&calls})
	for range 100 {
		if _, err := l.Well(t.Context(), shop(), ""); err != nil {
			t.Fatal(err)
		}
	}
	if calls != 0 {
		t.Errorf("100 successes took %d calls", calls)
	}
}

func TestAStopAndAPauseOfABucketEndApart(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := timed(redistest.Client(t), c, 1)[0]
	pause(t, l, "marketing", time.Hour, "quota used up")
	stop(t, l, Halt{Kind: TooFast}, time.Second)
	paused(t, l, "marketing", time.Hour, "quota used up")
	paused(t, l, "service", time.Second, why)
	c.forward(time.Second)
	paused(t, l, "marketing", time.Hour-time.Second, "quota used up") // and takes no probe
	wellAgain(t, l)
	paused(t, l, "service", 0, "")
	paused(t, l, "marketing", time.Hour-time.Second, "quota used up")
}
