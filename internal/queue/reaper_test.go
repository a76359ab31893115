package queue_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push/wire"
)

// abandon puts a task where a worker that died leaves it: in work, with a lease
// whose last renewal was age ago.
func (r *rig) abandon(lane, id string, age time.Duration) {
	r.Helper()
	ctx, key := r.Context(), wire.TaskKey(lane, id)
	r.must(r.rdb.LMove(ctx, wire.PendingKey(lane), wire.ActiveKey(lane), "RIGHT", "LEFT").Err())
	r.must(r.rdb.HSet(ctx, key, "state", "active").Err())
	r.must(r.rdb.ZAdd(ctx, wire.LeaseKey(lane), redis.Z{Score: float64(time.Now().Add(30*time.Second - age).Unix()), Member: id}).Err())
}

func TestADeadWorkersTasksRunAgainWithinSeconds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const tasks = 64
	for i := range tasks {
		r.add(normal, fmt.Sprint("task-", i))
	}
	for i := range tasks {
		r.abandon(normal, fmt.Sprint("task-", i), 12*time.Second)
	}
	var fenced, recovered atomic.Int64
	got := make(chan string, tasks)
	begin := time.Now()
	r.start(4, report(got), func(c *queue.Config) {
		c.Fence = func(context.Context, queue.Task, func(context.Context) (bool, error)) error {
			fenced.Add(1)
			return nil
		}
		c.Recovered = func(reason string, n int) {
			if reason == "worker-died" {
				recovered.Add(int64(n))
			}
		}
	})
	for range tasks {
		from(t, got, "a dead worker's task")
	}
	if took := time.Since(begin); took > 9*time.Second {
		t.Errorf("the tasks ran again after %v", took)
	}
	if fenced.Load() != tasks {
		t.Errorf("%d tasks were fenced, want %d", fenced.Load(), tasks)
	}
	r.eventually("nothing is left", 10*time.Second, func() bool { return r.inRedis(normal) == 0 })
	r.eventually("they are counted", 10*time.Second, func() bool { return recovered.Load() == tasks })
}

func TestALiveWorkersTaskIsNotTaken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := newHolder(t)
	var runs atomic.Int64
	count := func(ctx context.Context, lane string, task queue.Task) error {
		runs.Add(1)
		return h.handle(ctx, lane, task)
	}
	r.lanes(4, count)
	r.lanes(4, count) // another worker, which looks after the first one's leases too
	defer h.letGo()
	r.add(normal, "long")
	from(t, h.began, "the task")
	watch := time.NewTimer(20 * time.Second)
	<-watch.C
	if n := runs.Load(); n != 1 {
		t.Errorf("the task ran %d times", n)
	}
}

func TestATaskThatKillsItsWorkersIsGivenUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(normal, "poison")
	key := wire.TaskKey(normal, "poison")
	r.must(r.rdb.HSet(t.Context(), key, "crashes", 4).Err())
	r.abandon(normal, "poison", 12*time.Second)
	got, ended := make(chan string, 1), make(chan queue.Archived, 10)
	r.start(4, report(got), func(c *queue.Config) {
		c.EndArchived = func(_ context.Context, lane string, all []queue.Archived) error {
			for _, one := range all {
				if lane != normal {
					t.Errorf("ended in %s", lane)
				}
				ended <- one
			}
			return nil
		}
	})
	if c := from(t, ended, "the archived task"); c.Reason != wire.DeadPoison || !strings.HasPrefix(c.Detail, "poison: 5 workers") || c.ID != "poison" || string(c.Payload) != "poison" {
		t.Errorf("ended %+v", c)
	}
	info, err := r.inspector.GetTaskInfo(normal, "poison")
	r.must(err)
	if info.State != asynq.TaskStateArchived || !strings.HasPrefix(info.LastErr, "poison: 5 workers in a row died") {
		t.Errorf("in the UI it is %v, last error %q", info.State, info.LastErr)
	}
	if len(got) > 0 {
		t.Error("it ran again")
	}
}

func TestCrashesAreCountedWhereAsynqKeepsTheTask(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(normal, "task")
	r.abandon(normal, "task", 12*time.Second)
	h := newHolder(t)
	r.lanes(4, h.handle)
	defer h.letGo()
	from(t, h.began, "the task")
	if n := r.rdb.HGet(t.Context(), wire.TaskKey(normal, "task"), "crashes").Val(); n != "1" {
		t.Errorf("crashes are %q, want 1", n)
	}
	h.letGo()
	r.eventually("nothing is left", 10*time.Second, func() bool { return r.inRedis(normal) == 0 })
}

func TestTasksThatAPersonArchivesAreEnded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const tasks = 1100 // more than a page
	for i := range tasks {
		r.add(bulk, fmt.Sprint("task-", i))
	}
	n, err := r.inspector.ArchiveAllPendingTasks(bulk)
	if err != nil || n != tasks {
		t.Fatalf("%d tasks were archived: %v", n, err)
	}
	ended := make(chan string, 2*tasks)
	r.start(4, report(nil), func(c *queue.Config) {
		c.EndArchived = func(_ context.Context, _ string, all []queue.Archived) error {
			for _, one := range all {
				if one.Reason != wire.DeadArchived || one.Detail != "by hand" {
					t.Errorf("the reason is %q, the detail %q", one.Reason, one.Detail)
				}
				ended <- one.ID
			}
			return nil
		}
	})
	seen := map[string]bool{}
	for range tasks {
		seen[from(t, ended, "an archived task")] = true
	}
	if len(seen) != tasks {
		t.Errorf("%d tasks were ended, want %d", len(seen), tasks)
	}
}
