package queue

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// forwardPage is the most tasks that one step moves.
	forwardPage = 100
	// forwardEvery is the shortest time between two steps of a lane.
	forwardEvery = 10 * time.Millisecond
	// forwardWithin is how soon the next task must be due for this process to wait
	// for it. What is due later asynq's forwarder finds, which looks every two seconds.
	forwardWithin = 10 * time.Second
)

// forwarder moves tasks that are due from asynq's scheduled and retry sets to the
// pending list of their lane. asynq's own forwarder asks for that every two
// seconds; tasks that this process put back are moved when they are due, since a
// task that waits for the rate limit must not be seconds late.
type forwarder struct {
	rdb   redis.UniversalClient
	now   func() time.Time // by Redis's clock
	lanes []string

	mu  sync.Mutex
	due map[string]time.Time // by lane, when the first task that this process put back is due

	earlier chan struct{} // a task is due before the next that run knows
	done    chan struct{}
}

func newForwarder(rdb redis.UniversalClient, now func() time.Time, done chan struct{}) *forwarder {
	return &forwarder{rdb: rdb, now: now, due: map[string]time.Time{}, earlier: make(chan struct{}, 1), done: done}
}

func (f *forwarder) add(lane string) { f.lanes = append(f.lanes, lane) }

// score is a time as asynq's sets have it, but to the millisecond, rounded up.
func score(at time.Time) string {
	return strconv.FormatFloat(math.Ceil(float64(at.UnixMicro())/1e3)/1e3, 'f', 3, 64)
}

// move moves the tasks of a set that are due, up to forwardPage. It returns how
// many there were and, if ask is set, when the next one is due, by Redis's clock;
// zero: no task waits.
func (f *forwarder) move(ctx context.Context, set, lane string, ask bool) (n int, next time.Time, err error) {
	now := f.now()
	reply, err := forwardScript.Call().
		Key("waiting", set).
		Key("list", wire.PendingKey(lane)).
		Key("turns", wire.TurnKey(lane)).
		Arg("now", strconv.FormatFloat(float64(now.UnixMilli())/1e3, 'f', 3, 64)).
		Arg("nanos", now.UnixNano()).
		Arg("task_prefix", wire.TaskKey(lane, "")).
		Arg("most", forwardPage).
		Arg("ask", ask).
		Run(ctx, f.rdb).Slice()
	if err != nil {
		return 0, next, fmt.Errorf("move tasks of %s that are due: %w", lane, err)
	}
	moved, _ := reply[0].(int64)
	if text, _ := reply[1].(string); text != "" {
		at, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return int(moved), next, fmt.Errorf("move tasks of %s that are due: the script answered a time of %q", lane, text)
		}
		next = time.UnixMicro(int64(at * 1e6))
	}
	return int(moved), next, nil
}

// expect notes that this process put a task back until a time.
func (f *forwarder) expect(lane string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known, ok := f.due[lane]
	if at.Sub(f.now()) > forwardWithin || ok && !at.Before(known) {
		return
	}
	f.due[lane] = at
	select {
	case f.earlier <- struct{}{}:
	default: // run knows
	}
}

// run moves the tasks that this process put back when they are due, until done.
func (f *forwarder) run() {
	timer := time.NewTimer(forwardWithin)
	defer timer.Stop()
	for {
		timer.Reset(f.wait())
		select {
		case <-f.done:
			return
		case <-f.earlier:
			continue
		case <-timer.C:
		}
		for _, lane := range f.lanes {
			f.moveDue(lane)
		}
	}
}

// wait is how long it is until the next task is due.
func (f *forwarder) wait() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	wait := forwardWithin
	for _, at := range f.due {
		wait = min(wait, max(at.Sub(f.now()), forwardEvery))
	}
	return wait
}

// moveDue moves a lane's tasks, if the first is due.
func (f *forwarder) moveDue(lane string) {
	f.mu.Lock()
	at, ok := f.due[lane]
	ok = ok && !at.After(f.now())
	if ok {
		delete(f.due, lane)
	}
	f.mu.Unlock()
	if !ok {
		return
	}
	_, next, err := f.move(context.Background(), wire.RetryKey(lane), lane, true)
	if err != nil || next.IsZero() {
		return // asynq's forwarder moves what is left
	}
	f.expect(lane, next)
}
