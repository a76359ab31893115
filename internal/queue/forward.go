package queue

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// forwardPage is the most tasks that one step has worked.
	forwardPage = 100
	// forwardEvery is the shortest time between two steps of a lane.
	forwardEvery = 10 * time.Millisecond
	// forwardWithin is how soon the next task must be due for this process to wait
	// for it. What is due later asynq's forwarder finds, which looks every two seconds.
	forwardWithin = 10 * time.Second
)

// score is a time as asynq's sets have it, but to the millisecond, rounded up.
func score(at time.Time) string {
	return strconv.FormatFloat(math.Ceil(float64(at.UnixMicro())/1e3)/1e3, 'f', 3, 64)
}

// forward has the tasks of a set that are due worked. It returns how many there
// were and, if that is asked for, when the next one is due, by Redis's clock; zero:
// no task waits.
func (w *waiter) forward(ctx context.Context, set string, l *waitLane, ask bool) (n int, next time.Time, err error) {
	now := w.now()
	reply, err := forwardScript.Call().
		Key("waiting", set).
		Key("list", wire.PendingKey(l.name)).
		Key("turns", wire.TurnKey(l.name)).
		Arg("now", strconv.FormatFloat(float64(now.UnixMilli())/1e3, 'f', 3, 64)).
		Arg("nanos", now.UnixNano()).
		Arg("task_prefix", wire.TaskKey(l.name, "")).
		Arg("most", forwardPage).
		Arg("ask", ask).
		Run(ctx, w.UniversalClient).Slice()
	if err != nil {
		return 0, next, fmt.Errorf("have tasks of %s worked that are due: %w", l.name, err)
	}
	moved, _ := reply[0].(int64)
	if text, _ := reply[1].(string); text != "" {
		at, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return int(moved), next, fmt.Errorf("the script answered a time of %q", text)
		}
		next = time.UnixMicro(int64(at * 1e6))
	}
	return int(moved), next, nil
}

// putOff notes when the handler wants the task to come again.
func (w *waiter) putOff(r *run, again *AgainError) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.again = again
}

func (w *waiter) againOf(r *run) *AgainError {
	w.mu.Lock()
	defer w.mu.Unlock()
	return r.again
}

// expect has this process wait for a task that it put back.
func (w *waiter) expect(lane string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.lanes[wire.PendingKey(lane)]
	if at.Sub(w.now()) > forwardWithin || !l.due.IsZero() && !at.Before(l.due) {
		return
	}
	l.due = at
	select {
	case w.due <- struct{}{}:
	default: // told already
	}
}

// forwardInTime has the tasks that this process put back worked when they are
// due: a task that waits for the rate limit must not be seconds late.
func (w *waiter) forwardInTime() {
	timer := time.NewTimer(forwardWithin)
	defer timer.Stop()
	for {
		wait := forwardWithin
		for _, l := range w.lanes {
			if at := w.dueOf(l); !at.IsZero() {
				wait = min(wait, max(at.Sub(w.now()), forwardEvery))
			}
		}
		timer.Reset(wait)
		select {
		case <-w.done:
			return
		case <-w.due:
			continue
		case <-timer.C:
		}
		for _, l := range w.lanes {
			w.forwardLane(l)
		}
	}
}

// forwardLane has a lane's tasks worked, if the first is due.
func (w *waiter) forwardLane(l *waitLane) {
	w.mu.Lock()
	due := !l.due.IsZero() && !l.due.After(w.now())
	if due {
		l.due = time.Time{}
	}
	w.mu.Unlock()
	if !due {
		return
	}
	_, next, err := w.forward(context.Background(), wire.RetryKey(l.name), l, true)
	if err != nil || next.IsZero() {
		return // asynq's forwarder goes on
	}
	w.expect(l.name, next)
}

func (w *waiter) dueOf(l *waitLane) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return l.due
}
