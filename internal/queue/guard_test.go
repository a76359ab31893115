package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push/wire"
)

// ends are the ways in which asynq ends a run, each by a script of its own.
var ends = map[string]struct {
	answer func() error // the handler's
	option asynq.Option
	stop   bool // the worker stops while the handler runs
}{
	"done":     {func() error { return nil }, asynq.MaxRetry(9), false},
	"complete": {func() error { return nil }, asynq.Retention(time.Hour), false},
	"retry":    {func() error { return errors.New("redis is away") }, asynq.MaxRetry(9), false},
	"again":    {func() error { return &queue.AgainError{At: time.Now()} }, asynq.MaxRetry(9), false},
	"archive":  {func() error { return &queue.DeadError{Reason: "dead"} }, asynq.MaxRetry(9), false},
	"requeue":  {func() error { return nil }, asynq.MaxRetry(9), true},
}

// A worker that slept while its task was taken over wakes up: nothing that asynq
// then does for the task touches the entry of the new run.
func TestAWorkerDoesNotEndATaskThatItLost(t *testing.T) {
	t.Parallel()
	for name, c := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			_, err := r.client.EnqueueContext(r.Context(), asynq.NewTask(wire.TaskType, []byte("task")), asynq.Queue(normal), asynq.TaskID("task"), c.option)
			r.must(err)
			began, wakes, next := make(chan struct{}), make(chan struct{}), make(chan struct{})
			stop := r.lanes(1, func(_ context.Context, _ string, task queue.Task) error {
				if task.ID == "next" {
					close(next)
					return nil
				}
				began <- struct{}{}
				<-wakes
				return c.answer()
			})
			from(t, began, "the first run")
			// It sleeps; the task is taken over and runs elsewhere.
			r.must(r.rdb.HSet(t.Context(), wire.TaskKey(normal, "task"), "run", "elsewhere").Err())
			until := float64(time.Now().Add(20 * time.Second).Unix())
			r.must(r.rdb.ZAdd(t.Context(), wire.LeaseKey(normal), redis.Z{Score: until, Member: "task"}).Err())
			before := r.entry("task")
			if c.stop {
				defer close(wakes)
				stop()
			} else {
				close(wakes)
				r.add(normal, "next")
				from(t, next, "the next task")
				// The new run stays in work; asynq ended the first one before the next.
				r.eventually("asynq has ended the next task", 5*time.Second, func() bool {
					return r.rdb.LLen(t.Context(), wire.ActiveKey(normal)).Val() == 1
				})
			}
			if got := r.entry("task"); got != before {
				t.Errorf("the new run's entry is %s, want %s", got, before)
			}
			if n := r.rdb.LLen(t.Context(), wire.PendingKey(normal)).Val() + r.rdb.ZCard(t.Context(), wire.RetryKey(normal)).Val(); n != 0 {
				t.Errorf("the task is also due %d times", n)
			}
		})
	}
}

// entry is all that Redis has of a task in work.
func (r *rig) entry(id string) string {
	r.Helper()
	ctx := r.Context()
	active := r.rdb.LPosCount(ctx, wire.ActiveKey(normal), id, 0, redis.LPosArgs{}).Val()
	return fmt.Sprintf("%q, lease %v, active %d times", r.rdb.HGetAll(ctx, wire.TaskKey(normal, id)).Val(),
		r.rdb.ZScore(ctx, wire.LeaseKey(normal), id).Val(), len(active))
}

// The heartbeat of a worker that lost a task does not renew the lease of the new
// run, and tells the old one to stop.
func TestTheHeartbeatOfALostRunRenewsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(normal, "task")
	began, canceled := make(chan struct{}), make(chan struct{})
	r.lanes(4, func(ctx context.Context, _ string, _ queue.Task) error {
		close(began)
		<-ctx.Done()
		close(canceled)
		return ctx.Err()
	})
	from(t, began, "the first run")
	r.must(r.rdb.HSet(t.Context(), wire.TaskKey(normal, "task"), "run", "elsewhere").Err())
	until := float64(time.Now().Add(25 * time.Second).Unix())
	r.must(r.rdb.ZAdd(t.Context(), wire.LeaseKey(normal), redis.Z{Score: until, Member: "task"}).Err())
	from(t, canceled, "the lost run is told to stop")
	if got := r.rdb.ZScore(t.Context(), wire.LeaseKey(normal), "task").Val(); got != until {
		t.Errorf("the lease of the new run ends at %v, want %v", got, until)
	}
}

// A handler can ask whether its task is still its own.
func TestAHandlerCanAskWhetherItsTaskIsStillItsOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(normal, "task")
	answers, goOn := make(chan bool), make(chan struct{})
	r.lanes(4, func(ctx context.Context, _ string, task queue.Task) error {
		for range 2 {
			ok, err := task.Ours(context.WithoutCancel(ctx))
			if err != nil {
				t.Error(err)
			}
			answers <- ok
			<-goOn
		}
		return nil
	})
	if !from(t, answers, "an answer") {
		t.Error("a task in work is not its run's own")
	}
	r.must(r.rdb.HSet(t.Context(), wire.TaskKey(normal, "task"), "run", "elsewhere").Err())
	goOn <- struct{}{}
	if from(t, answers, "an answer") {
		t.Error("a task that a reaper has claimed is still the old run's")
	}
	goOn <- struct{}{}
}

// twice sends every script that ends a run a second time, as go-redis does when
// the reply to the first was lost.
type twice struct {
	mu   sync.Mutex
	seen []string
}

func (h *twice) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *twice) ends(cmd redis.Cmder) bool {
	args := fmt.Sprint(cmd.Args()...)
	if !strings.Contains(args, ":active") || !strings.Contains(args, ":lease") || strings.Contains(args, ":paused") {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, args)
	return true
}

func (h *twice) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if h.ends(cmd) && next(ctx, cmd) != nil {
			return cmd.Err()
		}
		return next(ctx, cmd)
	}
}

func (h *twice) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		ends := false
		for _, cmd := range cmds {
			ends = h.ends(cmd) || ends
		}
		if ends {
			if err := next(ctx, cmds); err != nil {
				return err
			}
		}
		return next(ctx, cmds)
	}
}

// Each of asynq's scripts that end a run is recognised, so it carries the run;
// and each can be sent twice. An upgrade of asynq that changes them fails here.
func TestAsynqsScriptsAreRecognised(t *testing.T) {
	t.Parallel()
	for name, c := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			_, err := r.client.EnqueueContext(r.Context(), asynq.NewTask(wire.TaskType, []byte("task")), asynq.Queue(normal), asynq.TaskID("task"), c.option)
			r.must(err)
			h, began, next, over := &twice{}, make(chan struct{}, 10), make(chan struct{}), make(chan struct{})
			var look string
			stop := r.start(1, func(ctx context.Context, _ string, task queue.Task) error {
				if task.ID == "next" {
					close(next)
					return nil
				}
				look = r.rdb.HGet(ctx, wire.TaskKey(normal, "task"), "run").Val()
				began <- struct{}{}
				if c.stop {
					<-over // longer than the lanes wait for it
				}
				return c.answer()
			}, func(c *queue.Config) { c.Redis.(*redis.Client).AddHook(h) })
			from(t, began, "the run")
			if !c.stop {
				r.add(normal, "next")
				from(t, next, "the next task")
				r.eventually("asynq has ended the first run", 5*time.Second, func() bool {
					return r.rdb.LLen(t.Context(), wire.ActiveKey(normal)).Val() == 0
				})
			}
			stop()
			close(over)
			h.mu.Lock()
			defer h.mu.Unlock()
			h.seen = slices.DeleteFunc(h.seen, func(args string) bool { return strings.Contains(args, ":t:next") })
			if len(h.seen) < 2 {
				t.Fatalf("the run was ended by %d scripts, want one, twice", len(h.seen))
			}
			for _, args := range h.seen {
				if look == "" || !strings.HasSuffix(args, look) && !strings.Contains(args, look+" 0") {
					t.Errorf("a script that ends a run does not carry it: %.300s", args)
				}
			}
			if n := r.rdb.HExists(t.Context(), wire.TaskKey(normal, "task"), "run").Val(); n {
				t.Error("the ended task is still a run's")
			}
		})
	}
}

// loses drops the replies to the first looks that took something.
type loses struct {
	rdb  *redis.Client
	mu   sync.Mutex
	left int
}

func (h *loses) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *loses) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *loses) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.mu.Lock()
		lose := h.left > 0 && strings.Contains(fmt.Sprint(cmd.Args()...), ":paused")
		h.mu.Unlock()
		if lose {
			if got, err := h.rdb.Do(ctx, cmd.Args()...).Slice(); err == nil && len(got) > 0 {
				h.mu.Lock()
				h.left--
				h.mu.Unlock()
			}
		}
		return next(ctx, cmd)
	}
}

// When Redis's reply to a look is lost, go-redis looks again, and nobody has
// heard of the task that the first look took. No worker died.
func TestALostReplyIsNoCrash(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := make(chan string, 10)
	h := &loses{rdb: r.rdb, left: 2}
	var crashes atomic.Value
	r.start(4, func(ctx context.Context, _ string, task queue.Task) error {
		crashes.Store(r.rdb.HGet(ctx, wire.TaskKey(normal, "task"), "crashes").Val())
		got <- task.ID
		return nil
	}, func(c *queue.Config) { c.Redis.(*redis.Client).AddHook(h) })
	begin := time.Now()
	r.add(normal, "task")
	r.eventually("the task runs", time.Minute, func() bool { return len(got) > 0 })
	t.Logf("the reply was lost twice; the task ran after %.1f s", time.Since(begin).Seconds())
	h.mu.Lock()
	defer h.mu.Unlock()
	if crashes.Load() != "" || h.left != 0 {
		t.Errorf("crashes are %q, %d replies were not lost", crashes.Load(), h.left)
	}
}

// asynq never runs such a task again (its issues 1051 and 1144).
func TestATaskInWorkWithoutALeaseRunsAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(normal, "task")
	r.abandon(normal, "task", 0)
	r.must(r.rdb.ZRem(t.Context(), wire.LeaseKey(normal), "task").Err())
	got := make(chan string, 10)
	var crashes string
	r.lanes(4, func(ctx context.Context, _ string, task queue.Task) error {
		crashes = r.rdb.HGet(ctx, wire.TaskKey(normal, "task"), "crashes").Val()
		got <- task.ID
		return nil
	})
	from(t, got, "the task")
	if crashes != "" {
		t.Errorf("it counts as %s crashes", crashes)
	}
	r.eventually("nothing is left", 10*time.Second, func() bool { return r.inRedis(normal) == 0 })
}

// A process that lost a task and takes it again itself does not run it beside
// its earlier run, which asynq could not tell from it.
func TestATaskThatItsWorkerTakesAgainWaitsForTheEarlierRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(normal, "task")
	began := make(chan struct{}, 10)
	var mu sync.Mutex
	running, most := 0, 0
	r.lanes(4, func(ctx context.Context, _ string, _ queue.Task) error {
		mu.Lock()
		running++
		most = max(most, running)
		first := len(began) == 0
		mu.Unlock()
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			running--
		}()
		began <- struct{}{}
		if first {
			<-ctx.Done() // it is told that it lost the task
		}
		return ctx.Err()
	})
	r.eventually("the first run", 10*time.Second, func() bool { return len(began) == 1 })
	// A reaper elsewhere puts it back.
	_, err := r.rdb.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		p.LRem(t.Context(), wire.ActiveKey(normal), 0, "task")
		p.ZRem(t.Context(), wire.LeaseKey(normal), "task")
		p.HSet(t.Context(), wire.TaskKey(normal, "task"), "run", "reaper", "state", "pending")
		return p.RPush(t.Context(), wire.PendingKey(normal), "task").Err()
	})
	r.must(err)
	r.eventually("the second run", 15*time.Second, func() bool { return len(began) == 2 })
	r.eventually("nothing is left", 15*time.Second, func() bool { return r.inRedis(normal) == 0 })
	if most != 1 {
		t.Errorf("%d runs of one task at once", most)
	}
}
