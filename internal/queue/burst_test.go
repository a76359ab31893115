package queue_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push/wire"
)

// looks counts the round trips in which asynq looks for tasks.
type looks struct{ n atomic.Int64 }

func (l *looks) DialHook(next redis.DialHook) redis.DialHook { return next }

func (l *looks) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		l.note(cmd)
		return next(ctx, cmd)
	}
}

func (l *looks) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		l.note(cmds[0])
		return next(ctx, cmds)
	}
}

func (l *looks) note(cmd redis.Cmder) {
	if a := cmd.Args(); len(a) > 4 && strings.HasSuffix(fmt.Sprint(a[4]), ":paused") {
		l.n.Add(1)
	}
}

// Tasks of a lane that has many are taken several at a time.
func TestAFullLaneCostsFewerRoundTrips(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const tasks = 2000
	for i := range tasks {
		r.add(normal, fmt.Sprint(i))
	}
	got, l := make(chan string, tasks), &looks{}
	r.start(64, report(got), func(c *queue.Config) { c.Redis.(*redis.Client).AddHook(l) })
	seen := map[string]bool{}
	for range tasks {
		seen[from(t, got, "a task")] = true
	}
	if len(seen) != tasks {
		t.Errorf("%d tasks were worked, want %d", len(seen), tasks)
	}
	r.eventually("all are acknowledged", 10*time.Second, func() bool { return r.inRedis(normal) == 0 })
	if n := l.n.Load(); n == 0 || n > tasks/2 {
		t.Errorf("%d round trips to take %d tasks, want at most one for two", n, tasks)
	}
}

// Tasks that were taken ahead are requeued when the lanes stop, at the front and in order.
func TestStopGivesBackWhatWasTakenAhead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := newHolder(t)
	const tasks = 200
	for i := range tasks {
		r.add(bulk, fmt.Sprint(i))
	}
	began := make(chan struct{}, tasks)
	stop := r.lanes(64, func(ctx context.Context, _ string, _ queue.Task) error {
		began <- struct{}{}
		select {
		case <-h.release:
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	from(t, began, "the first task")
	stop() // its handlers are cut off after a second, and their tasks are requeued, too
	left := r.rdb.LLen(t.Context(), wire.PendingKey(bulk)).Val() + r.rdb.ZCard(t.Context(), "asynq:{"+bulk+"}:retry").Val()
	if left != tasks {
		t.Errorf("%d tasks wait, want all %d", left, tasks)
	}
	if n := r.rdb.LLen(t.Context(), wire.ActiveKey(bulk)).Val() + r.rdb.ZCard(t.Context(), wire.LeaseKey(bulk)).Val(); n != 0 {
		t.Errorf("%d tasks or leases are left in work", n)
	}
	info, err := r.inspector.GetQueueInfo(bulk)
	if err != nil || info.Active != 0 || info.Size != tasks {
		t.Errorf("asynq sees %+v, %v", info, err)
	}
}

// A task that asynq cannot read must not use up the lane's handlers.
func TestTasksThatCannotBeReadLeaveTheLaneItsHandlers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 20 {
		id := fmt.Sprint("broken-", i)
		r.add(bulk, id)
		r.must(r.rdb.HSet(t.Context(), wire.TaskKey(bulk, id), "msg", "\xff\xff").Err())
	}
	r.add(bulk, "good")
	got := make(chan string, 1)
	r.lanes(8, report(got))
	if id := from(t, got, "the task behind them"); id != "good" {
		t.Errorf("got %s", id)
	}
}
