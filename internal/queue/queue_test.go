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

	"github.com/postrider/postrider/internal/queue"
)

// holder is a handler whose tasks stay in work until they are let go.
type holder struct {
	mu      sync.Mutex
	running map[string]int // by lane
	began   chan string    // task ids
	release chan struct{}
}

func newHolder(t *testing.T) *holder {
	h := &holder{running: map[string]int{}, began: make(chan string, 1000), release: make(chan struct{})}
	t.Cleanup(func() { h.letGo() })
	return h
}

func (h *holder) handle(_ context.Context, lane string, t queue.Task) error {
	h.count(lane, 1)
	defer h.count(lane, -1)
	h.began <- t.ID
	<-h.release
	return nil
}

func (h *holder) letGo() {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.release:
	default:
		close(h.release)
	}
}

func (h *holder) count(lane string, n int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running[lane] += n
	return h.running[lane]
}

func TestLowPrioritiesLeaveHandlersToThoseAbove(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := newHolder(t)
	for i := range 20 {
		r.add(bulk, fmt.Sprint("bulk-", i))
	}
	r.lanes(8, h.handle) // registered after letGo, so it ends before
	defer h.letGo()
	r.eventually("bulk has its half of the handlers", 10*time.Second, func() bool { return h.count(bulk, 0) == 4 })
	for i := range 20 {
		r.add(normal, fmt.Sprint("normal-", i))
	}
	r.eventually("normal has what it may", 10*time.Second, func() bool { return h.count(normal, 0) == 4 })
	if got := h.count(bulk, 0); got != 4 {
		t.Errorf("bulk holds %d of 8 handlers, want 4", got)
	}
}

func TestHighPriorityIsWorkedWhileTheOthersUseAllTheirSlots(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lane string
		held int
	}{
		"bulk holds half of the handlers":     {bulk, 4},
		"normal holds three quarters of them": {normal, 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			h := newHolder(t)
			got := make(chan string, 100)
			for i := range 20 {
				r.add(c.lane, fmt.Sprint("low-", i))
			}
			r.lanes(8, func(ctx context.Context, lane string, task queue.Task) error {
				if lane == high {
					return report(got)(ctx, lane, task)
				}
				return h.handle(ctx, lane, task)
			})
			defer h.letGo()
			r.eventually("the low lane holds what it may", 10*time.Second, func() bool { return h.count(c.lane, 0) == c.held })
			for i := range 5 {
				start := time.Now()
				r.add(high, fmt.Sprint("high-", i))
				from(t, got, "a task of high priority")
				if took := time.Since(start); took > 500*time.Millisecond {
					t.Errorf("a task of high priority took %v", took)
				}
			}
			if n := h.count(c.lane, 0); n != c.held {
				t.Errorf("the low lane holds %d handlers, want %d", n, c.held)
			}
			h.letGo() // a handler that comes free is used at once
			r.eventually("the low lane is worked off", 5*time.Second, func() bool { return len(h.began) == 20 })
		})
	}
}

func TestALaneThatIsFullDoesNotSpin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := newHolder(t)
	for i := range 20 {
		r.add(bulk, fmt.Sprint(i))
	}
	r.lanes(8, h.handle)
	defer h.letGo()
	r.eventually("bulk has its half of the handlers", 10*time.Second, func() bool { return h.count(bulk, 0) == 4 })
	const while = 3 * time.Second
	if n := r.commands(while); n > most*int64(while/time.Second) {
		t.Errorf("a full lane costs %d commands in %v, want at most %d a second", n, while, most)
	}
}

func TestStopIsPromptWhenIdle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stop := r.lanes(4, report(nil))
	r.waiting(3)
	if took := stop(); took > 2*time.Second {
		t.Errorf("stopping idle lanes took %v", took)
	}
}

func TestStopFinishesWhatIsInWorkAndTakesNothingNew(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const tasks = 2000
	for i := range tasks {
		r.add(normal, fmt.Sprint(i))
	}
	var began, done atomic.Int64
	stop := r.lanes(4, func(ctx context.Context, _ string, _ queue.Task) error {
		began.Add(1)
		short := time.NewTimer(5 * time.Millisecond)
		defer short.Stop()
		select {
		case <-short.C:
			done.Add(1)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	r.eventually("some tasks are done", 10*time.Second, func() bool { return done.Load() > 20 })
	if took := stop(); took > 2*time.Second {
		t.Errorf("stopping busy lanes took %v", took)
	}
	if began.Load() != done.Load() {
		t.Errorf("%d tasks began, %d ended", began.Load(), done.Load())
	}
	info, err := r.inspector.GetQueueInfo(normal)
	r.must(err)
	if want := tasks - int(done.Load()); info.Pending != want || info.Size != want {
		t.Errorf("%d tasks wait of %d in the queue, want %d", info.Pending, info.Size, want)
	}
}

func TestStopPutsBackWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := newHolder(t)
	for i := range 3 {
		r.add(normal, fmt.Sprint(i))
	}
	stop := r.lanes(4, h.handle)
	for range 3 {
		from(t, h.began, "a task")
	}
	if took := stop(); took > 3*time.Second {
		t.Errorf("stopping took %v, want little more than the timeout of 1 s", took)
	}
	tasks, err := r.inspector.ListPendingTasks(normal)
	r.must(err)
	if len(tasks) != 3 {
		t.Errorf("%d tasks were put back, want 3", len(tasks))
	}
	for _, task := range tasks {
		if task.Retried != 0 {
			t.Errorf("task %s has %d attempts behind it, want none", task.ID, task.Retried)
		}
	}
	h.letGo()
	got := make(chan string, 3)
	r.lanes(4, report(got))
	for range 3 {
		from(t, got, "a task that was put back")
	}
}

func TestATaskIsNotWorkedAgainBeforeItsTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		counted bool
		wait    time.Duration
	}{
		"and is not counted":      {false, 1300 * time.Millisecond},
		"and is counted":          {true, 1300 * time.Millisecond},
		"almost on a second":      {false, 990 * time.Millisecond},
		"at once, for past times": {false, -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			var at time.Time // written before it comes again
			calls := make(chan time.Time, 10)
			r.lanes(4, func(context.Context, string, queue.Task) error {
				now := time.Now()
				calls <- now
				if at.IsZero() {
					at = now.Add(c.wait)
					return &queue.AgainError{At: at, Counted: c.counted, Reason: "huawei/http/503: flow control"}
				}
				return nil
			})
			r.add(normal, "task")
			first := from(t, calls, "the task")
			want := 0
			if c.counted {
				want = 1
			}
			if c.wait > 0 {
				r.eventually("the task is put back", 5*time.Second, func() bool {
					info, err := r.inspector.GetTaskInfo(normal, "task")
					return err == nil && info.State == asynq.TaskStateRetry && info.Retried == want &&
						info.LastErr == "huawei/http/503: flow control"
				})
			}
			again := from(t, calls, "the task again")
			if due := first.Add(c.wait); again.Before(due) {
				t.Errorf("the task came %v early", due.Sub(again))
			} else if late := again.Sub(due); c.wait > 0 && late > 6*time.Second {
				t.Errorf("the task came %v late", late)
			}
		})
	}
}

func TestADeadTaskIsArchived(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var calls atomic.Int64
	r.lanes(4, func(context.Context, string, queue.Task) error {
		calls.Add(1)
		return fmt.Errorf("handle: %w", &queue.DeadError{Reason: "dead letters were written"})
	})
	r.add(normal, "task")
	r.eventually("the task is archived", 10*time.Second, func() bool {
		info, err := r.inspector.GetTaskInfo(normal, "task")
		return err == nil && info.State == asynq.TaskStateArchived && strings.Contains(info.LastErr, "dead letters were written")
	})
	if n := calls.Load(); n != 1 {
		t.Errorf("the task ran %d times, want once", n)
	}
}

// A panic must cost neither the worker, nor the task, nor a handler.
func TestAPanicPutsTheTaskBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := make(chan string, 100)
	var calls sync.Map
	r.lanes(2, func(ctx context.Context, lane string, task queue.Task) error {
		if _, again := calls.LoadOrStore(task.ID, true); !again {
			panic("of " + task.ID)
		}
		return report(got)(ctx, lane, task)
	})
	want := []string{"a", "b", "c", "d"} // more than bulk has handlers
	for _, id := range want {
		r.add(bulk, id)
	}
	all := make([]string, 0, len(want))
	for range want {
		all = append(all, from(t, got, "a task after its panic"))
	}
	slices.Sort(all)
	if !slices.Equal(all, want) {
		t.Errorf("got %v, want %v", all, want)
	}
}

func TestAnyOtherErrorPutsTheTaskBackWithADelay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.lanes(4, func(context.Context, string, queue.Task) error { return errors.New("load chunk: redis is away") })
	r.add(normal, "task")
	r.eventually("the task is put back", 10*time.Second, func() bool {
		info, err := r.inspector.GetTaskInfo(normal, "task")
		return err == nil && info.State == asynq.TaskStateRetry && info.LastErr == "load chunk: redis is away" &&
			info.NextProcessAt.After(time.Now().Add(-time.Second))
	})
}
