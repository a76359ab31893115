package queue

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

// lost runs a step with each of its commands' answers lost, once for each:
// go-redis sends that command again.
func lost(t *testing.T, step func(n int, direct, flaky *redis.Client)) {
	t.Helper()
	direct := redistest.Client(t)
	proxy, flaky := redistest.Flaky(t, direct)
	for n := 0; ; n++ { // 0: none is lost, and Redis has the scripts from then on
		direct.FlushDB(t.Context())
		proxy.Break(redistest.Nth(n, redistest.LoseAnswer))
		step(n, direct, flaky)
		if n > 0 && proxy.Commands() < n || t.Failed() {
			return
		}
	}
}

// A turn that was taken, and whose reply was lost, is not somebody else's.
func TestATurnWhoseReplyWasLostIsUsed(t *testing.T) {
	t.Parallel()
	lost(t, func(n int, direct, flaky *redis.Client) {
		archive(t, direct, "task", time.Now())
		ended := 0
		s := &sweeper{rdb: flaky, every: sweepEvery, lanes: []string{"huawei:bulk"}, swept: map[string]int64{}, endArchived: func(context.Context, string, []Archived) error {
			ended++
			return nil
		}}
		if err := s.sweep(t.Context(), false); err != nil || ended != 1 {
			t.Errorf("answer %d lost: ended %d times, %v, want once", n, ended, err)
		}
	})
}

func TestLostTasksAreLookedForAlsoWhenTheTurnsReplyWasLost(t *testing.T) {
	t.Parallel()
	lost(t, func(n int, _, flaky *redis.Client) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		looked := false
		f := &Finder{Redis: flaky, Log: zerolog.Nop(), Every: 10 * time.Millisecond, Producers: func(context.Context) error {
			looked = true
			cancel()
			return nil
		}}
		f.Run(ctx)
		if !looked {
			t.Errorf("answer %d lost: nobody looked", n)
		}
	})
}

// Tasks that were taken ahead are requeued once, and does not come before what is there
// when the script is sent again.
func TestATaskIsPutBackOnceAlsoWhenTheReplyWasLost(t *testing.T) {
	t.Parallel()
	const lane = "huawei:bulk"
	lost(t, func(n int, direct, flaky *redis.Client) {
		cl := newClient(Config{Redis: flaky, Now: time.Now, Blocked: func() error { return nil }, Handlers: 8, Log: zerolog.Nop()}, flaky, "me-")
		cl.add(lane, 4)
		src := cl.source
		l := src.lanes[wire.PendingKey(lane)]
		for i := range 3 {
			id := fmt.Sprint(i)
			task := wire.Task{ID: id, Queue: lane}
			direct.HSet(t.Context(), wire.TaskKey(lane, id), "msg", task.Encode(), "state", "pending")
			direct.LPush(t.Context(), wire.PendingKey(lane), id)
		}
		keys := []string{wire.PendingKey(lane), "paused", wire.ActiveKey(lane), wire.LeaseKey(lane)}
		if err := src.take(t.Context(), keys, l, 2); err != nil {
			t.Fatal(err)
		}
		took := len(l.ready)
		if err := src.giveBack(t.Context(), src.unready(time.Now().Add(time.Second))); err != nil {
			t.Fatal(err)
		}
		if l.inWork != 0 || src.inWork != 0 || len(src.runs) != 0 {
			t.Errorf("answer %d lost: %d tasks have a slot, %d runs are left", n, l.inWork, len(src.runs))
		}
		pending := direct.LRange(t.Context(), wire.PendingKey(lane), 0, -1).Val()
		active := direct.LRange(t.Context(), wire.ActiveKey(lane), 0, -1).Val()
		all := append(slices.Clone(pending), active...)
		slices.Sort(all)
		// Of tasks whose taking had no reply this process knows nothing: the reaper
		// puts them back.
		if want := []string{"0", "1", "2"}; !slices.Equal(all, want) {
			t.Errorf("answer %d lost: pending %q, active %q", n, pending, active)
		}
		if took == 2 && len(active) == 0 && !slices.Equal(pending, []string{"2", "1", "0"}) {
			t.Errorf("answer %d lost: the order became %q", n, pending)
		}
		if leases := direct.ZCard(t.Context(), wire.LeaseKey(lane)).Val(); leases != int64(len(active)) {
			t.Errorf("answer %d lost: %d leases for %d tasks in work", n, leases, len(active))
		}
	})
}
