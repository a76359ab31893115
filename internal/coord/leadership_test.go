package coord_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// runner is one worker that wants the leadership.
type runner struct {
	stop  func()
	began chan struct{} // told whenever it is the leader
	ended chan struct{} // receives when it is no longer the leader
}

func always() bool { return true }

// run starts a worker whose leadership ends soon; busy counts those that have it.
func run(t *testing.T, rdb redis.UniversalClient, busy *atomic.Int64) *runner {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &runner{began: make(chan struct{}, 100), ended: make(chan struct{}, 100)}
	var wg sync.WaitGroup
	l := &coord.Leadership{Redis: rdb, Key: "leader", Life: 3 * time.Second}
	wg.Go(func() {
		l.Run(ctx, always, func(ctx context.Context) {
			if busy.Add(1) > 1 {
				t.Error("two are leaders")
			}
			r.began <- struct{}{}
			<-ctx.Done()
			busy.Add(-1)
			r.ended <- struct{}{}
		})
	})
	r.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	t.Cleanup(r.stop)
	return r
}

func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Fatal("not within 20 s: " + what)
	}
}

func TestOneWorkerIsTheLeaderAndTheNextOneFollows(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	var busy atomic.Int64
	first := run(t, rdb, &busy)
	await(t, "the first has it", first.began)
	second := run(t, rdb, &busy)
	select { // longer than the life of a leadership that is not renewed
	case <-second.began:
		t.Fatal("the second has it too")
	case <-first.ended:
		t.Fatal("the first lost it")
	case <-time.After(5 * time.Second):
	}
	first.stop()
	if busy.Load() != 0 && len(first.ended) != 1 {
		t.Error("Run returned before what it ran")
	}
	await(t, "the second has it", second.began)
	second.stop()
	if rdb.Exists(t.Context(), "leader").Val() != 0 {
		t.Error("the key is left")
	}
}

func TestTheContextEndsWhenLeadershipIsLost(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	var busy atomic.Int64
	r := run(t, rdb, &busy)
	await(t, "it is the leader", r.began)
	rdb.Set(t.Context(), "leader", "another", time.Second)
	await(t, "it is told", r.ended)
	await(t, "it has it again", r.began)
}

func TestWithoutRedisThereIsNoLeader(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	var busy atomic.Int64
	r := run(t, s.Client(t), &busy)
	await(t, "it is the leader", r.began)
	s.Kill()
	await(t, "it is told", r.ended)
	s.Restart(t)
	await(t, "it has it again", r.began)
}

// go-redis sends a command again whose reply was lost. A worker that took the leadership
// must not take it for another's: nobody would have it until it ends.
func TestALeadershipWhoseReplyWasLostIsOurs(t *testing.T) {
	t.Parallel()
	proxy, flaky := redistest.Flaky(t, redistest.Client(t))
	for n := range 2 { // 0: none is lost, and Redis has the script from then on
		proxy.Break(redistest.Nth(n, redistest.LoseAnswer))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		has := false
		l := &coord.Leadership{Redis: flaky, Key: "leader", Life: time.Minute}
		l.Run(ctx, always, func(context.Context) {
			has = true
			cancel()
		})
		cancel()
		if !has {
			t.Errorf("answer %d lost: it is not the leader", n)
		}
	}
}

func TestAWorkerThatDoesNotWantToLeadDoesNotAskRedis(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	l := &coord.Leadership{Redis: rdb, Key: "leader", Life: 10 * time.Millisecond}
	l.Run(ctx, func() bool { return rdb.Exists(t.Context(), "leader").Val() == 1 }, func(context.Context) { t.Error("it is the leader") })
}
