package queue_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/internal/redistest"
)

// most is the commands a second that a worker may cost with three lanes of one
// vendor: 150 with those of eight.
const most = 20

func TestAnIdleLaneTakesATaskAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := make(chan string)
	r.lanes(4, report(got))
	took := make([]time.Duration, 15)
	for i := range took {
		r.waiting(3)
		lane := []string{high, normal, bulk}[i%3]
		start := time.Now()
		r.add(lane, fmt.Sprint(i))
		from(t, got, "a task on "+lane)
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	// The machine may be busy once or twice; asynq by itself would take half a second on average.
	if median := took[len(took)/2]; median > 50*time.Millisecond {
		t.Errorf("a task was taken after %v, want at most 50 ms", median)
	}
}

func TestIdleLanesAskRedisSeldom(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.lanes(4, report(nil))
	r.waiting(3)
	const while = 4 * time.Second
	if n := r.commands(while); n > most*int64(while/time.Second) {
		t.Errorf("three idle lanes cost %d commands in %v, want at most %d a second", n, while, most)
	}
}

func TestAPausedLaneNeitherSpinsNorBlocksOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := make(chan string, 10)
	r.add(bulk, "first") // asynq pauses only what it knows
	r.lanes(4, report(got))
	from(t, got, "the first task")
	r.must(r.inspector.PauseQueue(bulk))
	for i := range 5 {
		r.add(bulk, fmt.Sprint("paused-", i))
	}
	const while = 4 * time.Second
	if n := r.commands(while); n > most*int64(while/time.Second) {
		t.Errorf("a paused lane with tasks costs %d commands in %v, want at most %d a second", n, while, most)
	}
	for i := range 5 {
		start := time.Now()
		r.add(normal, fmt.Sprint("other-", i))
		if id := from(t, got, "a task beside a paused lane"); id != fmt.Sprint("other-", i) {
			t.Errorf("got task %s of a paused lane", id)
		}
		if took := time.Since(start); took > 500*time.Millisecond {
			t.Errorf("a task beside a paused lane took %v", took)
		}
	}
	r.must(r.inspector.UnpauseQueue(bulk))
	start := time.Now()
	for range 5 {
		from(t, got, "a task of the paused lane")
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the lane went on %v after its pause, want at most 2 s", took)
	}
}

func TestTwoWorkersShareALane(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const tasks = 300
	var shares [2]atomic.Int64
	got := make(chan string, 2*tasks)
	for i := range shares {
		r.lanes(4, func(ctx context.Context, lane string, task queue.Task) error {
			shares[i].Add(1)
			return report(got)(ctx, lane, task)
		})
	}
	for i := range tasks {
		r.add(normal, fmt.Sprint(i))
	}
	seen := map[string]int{}
	for range tasks {
		seen[from(t, got, "a task")]++
	}
	r.eventually("both lanes are idle", 5*time.Second, func() bool {
		info, err := r.inspector.GetQueueInfo(normal)
		return err == nil && info.Size == 0
	})
	if len(seen) != tasks || len(got) != 0 {
		t.Errorf("%d of %d tasks ran, %d of them again", len(seen), tasks, len(got))
	}
	if a, b := shares[0].Load(), shares[1].Load(); a == 0 || b == 0 {
		t.Errorf("the workers had %d and %d tasks, want some each", a, b)
	}
}

// A worker that finds nothing although it was woken, because another was
// faster, must not take its own lane for paused.
func TestALaneOfTwoWorkersStaysQuick(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := make(chan string)
	r.lanes(4, report(got))
	r.lanes(4, report(got))
	took := make([]time.Duration, 11)
	for i := range took {
		r.waiting(6)
		start := time.Now()
		r.add(normal, fmt.Sprint(i))
		from(t, got, "a task")
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	if median := took[len(took)/2]; median > 50*time.Millisecond {
		t.Errorf("a task was taken after %v, want at most 50 ms", median)
	}
}

func TestLanesSurviveThatRedisForgetsItsScripts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := make(chan string)
	r.lanes(4, report(got))
	for i := range 3 {
		r.waiting(3)
		r.must(r.rdb.ScriptFlush(t.Context()).Err())
		start := time.Now()
		r.add(normal, fmt.Sprint(i))
		from(t, got, "a task after SCRIPT FLUSH")
		if took := time.Since(start); took > time.Second {
			t.Errorf("a task after SCRIPT FLUSH took %v", took)
		}
	}
}

func TestLanesSurviveARestartOfRedis(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.AppendOnly())
	got := make(chan string, 10)
	r.lanes(4, report(got))
	r.waiting(3)
	r.server.Restart(t)
	r.eventually("redis takes a task", 5*time.Second, func() bool { return r.rdb.Ping(t.Context()).Err() == nil })
	r.add(normal, "after")
	if id := from(t, got, "a task after the restart"); id != "after" {
		t.Errorf("got task %s, want after", id)
	}
	r.waiting(3) // and idles as before
}
