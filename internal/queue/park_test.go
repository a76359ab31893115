package queue_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push/wire"
)

// Tasks that wait leave their places to others, up to as many as there are handlers.
func TestATaskThatWaitsHasNoPlace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const handlers = 4 // of which normal priority has three
	parked, refused, others := make(chan string, 20), make(chan string, 20), make(chan string, 20)
	leave := make(chan struct{})
	var working, peak atomic.Int64
	work := func() func() {
		if n := working.Add(1); n > peak.Load() {
			peak.Store(n)
		}
		return func() { working.Add(-1) }
	}
	r.lanes(handlers, func(ctx context.Context, _ string, task queue.Task) error {
		if task.ID[:1] == "o" {
			defer work()()
			others <- task.ID
			return nil
		}
		back, ok := queue.PlaceOf(ctx).Park()
		if !ok {
			refused <- task.ID
			return &queue.AgainError{At: time.Now().Add(time.Hour), Reason: "many wait"}
		}
		parked <- task.ID
		<-leave
		back()
		back() // once more does nothing
		defer work()()
		return nil
	})
	for i := range handlers + 2 {
		r.add(normal, fmt.Sprint("waits-", i))
	}
	for range handlers {
		from(t, parked, "a task that waits")
	}
	for range 2 {
		from(t, refused, "a task that may not wait too")
	}
	for i := range 10 {
		r.add(normal, fmt.Sprint("other-", i))
	}
	for range 10 {
		from(t, others, "a task that need not wait")
	}
	close(leave)
	r.eventually("those that waited are done", 5*time.Second, func() bool {
		return r.rdb.LLen(t.Context(), wire.ActiveKey(normal)).Val() == 0
	})
	if n := peak.Load(); n > handlers {
		t.Errorf("%d tasks were worked at once, want %d at most", n, handlers)
	}
	// Each place is free again: as many tasks as before are worked.
	for i := range 10 {
		r.add(normal, fmt.Sprint("other-again-", i))
	}
	for range 10 {
		from(t, others, "a task after all")
	}
}

// What was put back for a time comes at that time, and not with asynq's next look
// for such tasks, which may be two seconds and the rest of a second later.
func TestATaskIsNotLate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var at atomic.Int64
	came := make(chan time.Time, 1)
	r.lanes(4, func(_ context.Context, _ string, task queue.Task) error {
		if task.LastError != "" {
			came <- time.Now()
			return nil
		}
		due := time.Now().Add(300 * time.Millisecond)
		at.Store(due.UnixNano())
		return &queue.AgainError{At: due, Reason: "its time"}
	})
	var worst time.Duration
	for i := range 10 {
		r.add(normal, fmt.Sprint("task-", i))
		worst = max(worst, from(t, came, "the task").Sub(time.Unix(0, at.Load())))
	}
	if worst < 0 || worst > 500*time.Millisecond {
		t.Errorf("a task came %v after its time", worst)
	}
}

// A task that has waited its turn goes ahead of a backlog, and of two tasks one is the backlog's.
func TestAPromisedTaskGoesAheadOfABacklog(t *testing.T) {
	t.Parallel()
	for name, promised := range map[string]bool{"promised": true, "not promised": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			back := make(chan struct{}, 10)
			stop := r.lanes(1, func(_ context.Context, _ string, task queue.Task) error {
				back <- struct{}{}
				return &queue.AgainError{At: time.Now().Add(time.Second), Promised: promised, Reason: "its turn"}
			})
			r.add(normal, "first")
			r.add(normal, "second")
			from(t, back, "the first")
			from(t, back, "the second")
			r.eventually("both are put back", 5*time.Second, func() bool { return r.rdb.ZCard(t.Context(), wire.RetryKey(normal)).Val() == 2 })
			stop()
			for i := range 50 {
				r.add(normal, fmt.Sprint("backlog-", i))
			}
			order := make(chan string, 60)
			begin := make(chan struct{})
			r.lanes(1, func(_ context.Context, _ string, task queue.Task) error {
				<-begin
				order <- task.ID
				return nil
			})
			r.eventually("both are due", 10*time.Second, func() bool { return r.rdb.ZCard(t.Context(), wire.RetryKey(normal)).Val() == 0 })
			close(begin)
			at := map[string]int{}
			for i := range 52 {
				at[from(t, order, "a task")] = i
			}
			if first, second := at["first"], at["second"]; promised && (first > 20 || second > 22 || first > second) || !promised && first < 50 {
				t.Errorf("they came as numbers %d and %d", first, second)
			}
			if r.rdb.HExists(t.Context(), wire.TaskKey(normal, "first"), "promised").Val() {
				t.Error("the task still has its promise")
			}
		})
	}
}
