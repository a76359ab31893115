package dispatch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// admitAfter makes the gate close for a while from now on.
func (b *bubble) admitAfter(wait time.Duration) {
	open := time.Now().Add(wait)
	b.gate.admit = func() (time.Duration, string, error) { return time.Until(open), "nova/http/503: flow control", nil }
}

func TestAShortWaitIsSpentInTheHandler(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(b *bubble) {
		b.admitAfter(800 * time.Millisecond)
		start := time.Now()
		if err := <-b.start(b.Context(), b.chunk(push.High, entry("a", "t1"))); err != nil {
			b.Errorf("got %v, want it sent", err)
		}
		if took := time.Since(start); took != 800*time.Millisecond {
			b.Errorf("took %v, want 800ms", took)
		}
		b.want("a", outcomes{wire.Delivered: 1})
	})
}

// A long pause must not hold handlers, nor use up attempts.
func TestALongPausePutsTheTaskBack(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(b *bubble) {
		b.admitAfter(5 * time.Minute)
		start := time.Now()
		task := b.chunk(push.High, entry("a", "t1"))
		again := mustAgain(b.T, <-b.start(b.Context(), task))
		if time.Since(start) != 0 {
			b.Errorf("the handler waited for %v", time.Since(start))
		}
		if again.Counted || again.Reason != "nova/http/503: flow control" {
			b.Errorf("got %+v, want the pause's reason and nothing counted", again)
		}
		if wait := time.Until(again.At); wait < 5*time.Minute || wait > 6*time.Minute {
			b.Errorf("put back for %v, want the pause and a little more", wait)
		}
		for range 20 { // however often: it is no attempt
			mustAgain(b.T, <-b.start(b.Context(), task))
		}
		b.want("a", outcomes{wire.Pending: 1})
		b.finish(task)
		b.want("a", outcomes{wire.Delivered: 1})
		if n := len(b.vendor.sizes()); n != 1 {
			b.Errorf("%d requests were made, want 1", n)
		}
	})
}

// What comes back after a pause is spread out.
func TestAPausesEndIsSpreadOut(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(b *bubble) {
		b.admitAfter(10 * time.Minute)
		seen := map[time.Time]bool{}
		for i := range 20 {
			seen[mustAgain(b.T, <-b.start(b.Context(), b.chunk(push.High, entry(fmt.Sprint("job-", i), fmt.Sprint("t", i))))).At] = true
		}
		if len(seen) < 15 {
			b.Errorf("20 tasks come back at %d times", len(seen))
		}
	})
}

func TestWithoutAPermitNothingIsSent(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(b *bubble) {
		b.gate.admit = func() (time.Duration, string, error) { return 0, "", errors.New("take permits: redis is away") }
		task := b.chunk(push.High, entry("a", "t1"))
		if again := mustAgain(b.T, <-b.start(b.Context(), task)); again.Counted || !again.At.After(time.Now()) {
			b.Errorf("got %+v, want it put back for later and not counted", again)
		}
		b.gate.admit = nil
		b.finish(task)
		b.want("a", outcomes{wire.Delivered: 1})
	})
}

func TestPermitsAreTakenInTheVendorsUnit(t *testing.T) {
	t.Parallel()
	for unit, want := range map[vendors.Unit]int{vendors.Tokens: 3, vendors.Requests: 1, vendors.Messages: 3} {
		t.Run(string(unit), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(b *bubble) { b.acct.Spec.Unit = unit }, func(b *bubble) {
				b.finish(b.chunk(push.High, entry("a", "t1", "t2", "t3")))
				if got := b.gate.units; !slices.Equal(got, []int{want}) {
					b.Errorf("permits taken are %v, want %d", got, want)
				}
			})
		})
	}
}

func TestDrainPutsBackWhatWaits(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]push.Priority{"for a permit": push.High, "for others": push.Normal} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, nil, func(b *bubble) {
				b.admitAfter(900 * time.Millisecond)
				one := b.chunk(p, entry("a", "t1"))
				first, second := b.start(b.Context(), one), b.start(b.Context(), b.chunk(p, entry("b", "t2")))
				start := time.Now()
				b.d.Drain()
				b.d.Drain() // twice does nothing
				for _, end := range []<-chan error{first, second} {
					if again := mustAgain(b.T, <-end); again.Counted || again.At.After(time.Now()) {
						b.Errorf("got %+v, want it put back at once and not counted", again)
					}
				}
				if took := time.Since(start); took != 0 {
					b.Errorf("they left after %v", took)
				}
				mustAgain(b.T, <-b.start(b.Context(), one)) // nothing new is begun
				if n := len(b.vendor.sizes()); n != 0 {
					b.Errorf("%d requests were made, want none", n)
				}
			})
		})
	}
}

func TestDrainLetsRequestsEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, func(b *bubble) { b.cfg.Requests = 1 }, func(b *bubble) {
		began, release := make(chan struct{}, 1), make(chan struct{})
		b.vendor.replies = []reply{answerWhen(began, release, say("ok"))}
		sending := b.start(b.Context(), b.chunk(push.High, entry("a", "t1")))
		waiting := b.start(b.Context(), b.chunk(push.High, entry("b", "t2"))) // for the only slot
		b.d.Drain()
		mustAgain(b.T, <-waiting)
		close(release)
		if err := <-sending; err != nil {
			b.Errorf("the request in flight ended with %v", err)
		}
		b.want("a", outcomes{wire.Delivered: 1})
		b.want("b", outcomes{wire.Pending: 1})
	})
}

// A task that asynq took back ends without a request.
func TestATaskThatIsTakenBackLeaves(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(b *bubble) {
		b.admitAfter(900 * time.Millisecond)
		ctx, cancel := context.WithCancel(b.Context())
		end := b.start(ctx, b.chunk(push.Normal, entry("a", "t1")))
		synctest.Wait()
		cancel()
		if again := mustAgain(b.T, <-end); again.Counted {
			b.Error("an attempt is counted")
		}
		b.want("a", outcomes{wire.Pending: 1})
		if n := len(b.vendor.sizes()); n != 0 {
			b.Errorf("%d requests were made, want none", n)
		}
	})
}

// An eighth of the requests in flight is for high priority only.
func TestRequestsInFlightAreBounded(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(b *bubble) {
		var mu sync.Mutex
		inFlight, peak := 0, 0
		release := make(chan struct{})
		b.vendor.always = func(r *vendors.Request) (vendors.Answer, error) {
			mu.Lock()
			inFlight++
			peak = max(peak, inFlight)
			mu.Unlock()
			<-release
			mu.Lock()
			inFlight--
			mu.Unlock()
			return say("ok")(r)
		}
		count := func() int { mu.Lock(); defer mu.Unlock(); return inFlight }
		var ends []<-chan error
		add := func(p push.Priority, n int) {
			for range n {
				id := fmt.Sprint("job-", len(ends))
				ends = append(ends, b.start(b.Context(), b.chunk(p, entry(id, id+"-1", id+"-2", id+"-3", id+"-4", id+"-5", id+"-6"))))
			}
		}
		add(push.Bulk, 20)
		if got := count(); got != 7 {
			b.Errorf("bulk has %d requests in flight, want 7 of 8", got)
		}
		add(push.High, 5)
		if got := count(); got != 8 {
			b.Errorf("%d requests are in flight, want 8", got)
		}
		close(release)
		for _, end := range ends {
			if err := <-end; err != nil {
				b.Error(err)
			}
		}
		if peak != 8 {
			b.Errorf("at most %d requests were in flight, want 8", peak)
		}
	})
}

// A request waits for the end of a short pause in its handler, without a slot.
func TestAShortPauseOfOneAppLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	inBubble(t, func(b *bubble) {
		b.cfg.Linger = 0
		b.gate.paused = map[string]time.Time{"shop": time.Now().Add(500 * time.Millisecond)}
		b.cfg.Account = func(app, _ string) (*account.Account, bool) {
			a := b.acct
			a.App, a.Shared = app, true
			return &a, true
		}
	}, func(b *bubble) {
		var ends []<-chan error
		for i := range 3 * b.cfg.Requests {
			ends = append(ends, b.start(b.Context(), b.chunk(push.Normal, entry(fmt.Sprint("job-", i), fmt.Sprint("t", i)))))
		}
		start := time.Now()
		other := b.chunk(push.Normal, entry("other", "t"))
		other.Payload = bytes.Replace(other.Payload, []byte(`"shop"`), []byte(`"bank"`), 1)
		if err := <-b.start(b.Context(), other); err != nil || time.Since(start) != 0 {
			t.Errorf("another app's task ended with %v after %v, want it sent at once", err, time.Since(start))
		}
		for _, end := range ends {
			if err := <-end; err != nil {
				t.Errorf("what sat the pause out ended with %v", err)
			}
		}
		if took := time.Since(start); took != 500*time.Millisecond {
			t.Errorf("they were sent after %v, want the end of the pause", took)
		}
	})
}
