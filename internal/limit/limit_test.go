package limit

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
)

// worker is a Limiter that several goroutines use as hard as they can.
type worker struct {
	*Limiter
	n    int
	stop context.Context
}

// run takes permits until the worker's context ends, and reports when it got them.
func (w worker) run(t *testing.T, lim Limit, got func(at time.Time, n int)) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-w.stop.Done():
			return
		case <-timer.C:
		}
		wait, err := w.Take(context.WithoutCancel(w.stop), shop(), lim, w.n, false)
		if err != nil {
			t.Error(err)
			return
		}
		if wait == 0 {
			got(time.Now(), w.n)
		}
		timer.Reset(wait)
	}
}

// measure lets all workers run for d and returns the times of all permits.
func measure(t *testing.T, workers []worker, lim Limit, goroutines int) []time.Time {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var times []time.Time
	for _, w := range workers {
		for range goroutines {
			wg.Go(func() {
				w.run(t, lim, func(at time.Time, n int) {
					mu.Lock()
					defer mu.Unlock()
					times = append(times, slices.Repeat([]time.Time{at}, n)...)
				})
			})
		}
	}
	wg.Wait()
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// busiest returns the most permits in any second.
func busiest(times []time.Time) int {
	most, first := 0, 0
	for i := range times {
		for times[i].Sub(times[first]) > time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// rate measures until the workers had their share: on a busy machine one run
// may be starved of processor time. No run at all may be over the limit.
func rate(t *testing.T, lim Limit, d time.Duration, goroutines int, workers func(stop context.Context) []worker) {
	t.Helper()
	least := int(0.95 * lim.Rate * d.Seconds())
	for try := 1; ; try++ {
		stop, cancel := context.WithTimeout(t.Context(), d)
		times := measure(t, workers(stop), lim, goroutines)
		cancel()
		if got, most := busiest(times), int(lim.Rate)+lim.Burst; got > most {
			t.Errorf("a second had %d permits, want at most %d", got, most)
		}
		if len(times) >= least {
			return
		}
		if try == 3 {
			t.Errorf("%d permits in %v, want at least %d", len(times), d, least)
			return
		}
	}
}

// The tests that call rate are not parallel: they measure real time.

func TestFourWorkersKeepOneRateLimit(t *testing.T) {
	for _, c := range []struct {
		name string
		n    int
		skew time.Duration
	}{
		{"single permits", 1, 0},
		{"blocks of a chunk", 100, 0},
		{"clocks seconds apart", 1, 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			rate(t, Limit{2000, 100}, 3*time.Second, 8, func(stop context.Context) []worker {
				client := redistest.Client(t)
				workers := make([]worker, 4)
				for i := range workers {
					now := func() time.Time { return time.Now().Add(time.Duration(i) * c.skew) }
					workers[i] = worker{&Limiter{Redis: client, Now: now}, c.n, stop}
				}
				return workers
			})
		})
	}
}

func TestBlocksOfKilledWorkersAreNotMissed(t *testing.T) {
	rate(t, Limit{2000, 100}, 2*time.Second, 8, func(stop context.Context) []worker {
		client := redistest.Client(t)
		dies, kill := context.WithTimeout(stop, time.Second) // and is never closed
		t.Cleanup(kill)
		return []worker{{&Limiter{Redis: client}, 1, stop}, {&Limiter{Redis: client}, 1, dies}}
	})
}

func TestHighPriorityIsNotStarvedByABulkJob(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	c := newClock()
	bulk, urgent := timed(client, c, 1)[0], timed(client, c, 1)[0]
	lim := Limit{2000, 1000}
	var longest, waited time.Duration
	sent := 0
	for range 10_000 { // ms
		c.forward(time.Millisecond)
		if take(t, bulk, lim, 1000, false) == 0 {
			sent += 1000
		}
		if c.us.Load()/1000%10 == 0 || waited > 0 { // 100 requests a second
			if take(t, urgent, lim, 1, true) == 0 {
				sent, longest, waited = sent+1, max(longest, waited), 0
			} else {
				waited += time.Millisecond
			}
		}
	}
	if longest > 20*time.Millisecond {
		t.Errorf("an urgent request waited %v, want at most 20 ms", longest)
	}
	if sent < 19_000 || sent > 21_000 {
		t.Errorf("%d permits in 10 s, want 2,000/s", sent)
	}
}

func TestALeaseServesManyRequests(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	c := newClock()
	l := timed(client, c, 1)[0]
	lim := Limit{10_000, 1000}
	calls := 0
	client.AddHook(counter{&calls})
	for range 5000 { // a request every 0.2 ms, half the rate
		c.forward(200 * time.Microsecond)
		if wait := take(t, l, lim, 1, false); wait > 0 {
			c.forward(wait)
		}
	}
	if calls > 150 {
		t.Errorf("5,000 requests in a second took %d calls, want about 50", calls)
	}
}

func TestNoRateNoRedis(t *testing.T) {
	t.Parallel()
	l := &Limiter{} // a call would panic
	if wait := take(t, l, Limit{}, 1000, false); wait != 0 {
		t.Errorf("wait is %v, want 0", wait)
	}
	if wait := take(t, l, Limit{Rate: 1}, 0, false); wait != 0 {
		t.Errorf("for no permits wait is %v, want 0", wait)
	}
}

func TestARefusalIsRememberedWithoutAskingAgain(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	c := newClock()
	l := timed(client, c, 1)[0]
	lim := Limit{1000, 100}
	take(t, l, lim, 100, false)
	first := take(t, l, lim, 1, false)
	calls := 0
	client.AddHook(counter{&calls})
	c.forward(10 * time.Millisecond)
	if wait := take(t, l, lim, 50, false); calls != 0 || wait != first-10*time.Millisecond {
		t.Errorf("10 ms later %d calls and a wait of %v, want none and 10 ms less than %v", calls, wait, first)
	}
	if take(t, l, lim, 100, true); calls != 1 {
		t.Errorf("high priority made %d calls, want 1 of its own", calls)
	}
	c.forward(first)
	if wait := take(t, l, lim, 1, false); wait != 0 {
		t.Errorf("after the wait it is %v more, want 0", wait)
	}
}

func TestCloseGivesUnusedPermitsBack(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	c := newClock()
	both := timed(client, c, 2)
	lim := Limit{1000, 100}
	both[0].entry(shop()).permits.demand = 50
	take(t, both[0], lim, 1, false)
	before := take(t, both[1], lim, 1, false)
	if err := both[0].Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.forward(rememberTime)
	if err := both[0].Close(t.Context()); err != nil { // nothing is left to give back
		t.Fatal(err)
	}
	if wait := take(t, both[1], lim, 1, false); before < 25*time.Millisecond || wait != 0 {
		t.Errorf("the other worker waits %v before and %v after, want over 25 ms and 0", before, wait)
	}
}

func TestTakeFailsWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	server.Kill()
	if _, err := (&Limiter{Redis: client}).Take(t.Context(), shop(), Limit{1000, 100}, 1, false); err == nil {
		t.Error("a permit was granted by nobody")
	}
}

func TestItWorksOnAClusterAndOnTheEmbeddedRedis(t *testing.T) {
	t.Parallel()
	embedded := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = embedded.Close() })
	for name, client := range map[string]redis.UniversalClient{"cluster": redistest.Cluster(t), "embedded": embedded} {
		t.Run(name, func(t *testing.T) {
			l := &Limiter{Redis: client}
			if wait := take(t, l, Limit{1000, 1000}, 1000, false); wait != 0 {
				t.Errorf("the first block waits %v, want 0", wait)
			}
			if wait := take(t, l, Limit{1000, 1000}, 1, false); wait < 900*time.Millisecond || wait > 1100*time.Millisecond {
				t.Errorf("the second waits %v, want a second", wait)
			}
			if _, _, err := l.Stop(t.Context(), shop(), Halt{Kind: TooFast, RetryAfter: time.Millisecond, Reason: "HTTP 503"}); err != nil {
				t.Error(err)
			}
			if _, err := l.Pause(t.Context(), shop(), "marketing", time.Now().Add(time.Hour), "quota"); err != nil {
				t.Error(err)
			}
			if st, err := l.State(t.Context(), shop()); err != nil || len(st.Pauses) != 1 || st.Stop == nil || st.Factor != 0.5 {
				t.Errorf("State = %+v, %v, want a pause, a stop and half the rate", st, err)
			}
			p := Pass{}
			for p.Probe == "" {
				if p = l.Pass(t.Context(), shop(), nil, time.Second); p.Until.IsZero() && p.Probe == "" {
					t.Fatal("it is not stopped")
				}
			}
			if err := l.Release(t.Context(), shop(), p.Probe); err != nil {
				t.Error(err)
			}
			if ended, err := l.Well(t.Context(), shop(), p.Probe); err != nil || ended {
				t.Errorf("Well = %v, %v, want nothing for a probe that was given back", ended, err)
			}
			if was, err := l.Resume(t.Context(), shop(), ""); err != nil || !was {
				t.Errorf("Resume = %v, %v", was, err)
			}
			if p := l.Pass(t.Context(), shop(), nil, 0); !p.Until.IsZero() {
				t.Errorf("after Resume it is paused: %s", p.Why)
			}
		})
	}
}
