package queue

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// fieldRun is the field of asynq's task hash that says whose run of the task
// counts: the look that took the task off its lane, or the reaper that claimed
// it. asynq knows only that a task is in work, not by whom, so without it a
// worker that was frozen removes the entry of the run that replaced its own.
const fieldRun = "run"

// freshFor is how long a task may wait between being taken and being handed out.
// Nothing renews its lease meanwhile, so later it may be another worker's.
const freshFor = 4 * time.Second

// taskName names a task.
type taskName struct{ lane, id string }

func (t taskName) key() string { return wire.TaskKey(t.lane, t.id) }

// run is one taking of a task by this process, from the look that took it to
// the script that ends it.
type run struct {
	taskName
	look string // see fieldRun
	msg  string // as asynq encodes it
	// lastError is why it was put back before.
	lastError string
	taken     time.Time
	// until is when asynq gives the lease up and calls no script for it any more.
	until time.Time
	// counts says that it holds one of its lane's places, parked how many of its
	// goroutines wait without one.
	counts bool
	parked int
	// again is when the task comes again, if its handler said so.
	again  *AgainError
	ended  bool // its handler returned
	cancel context.CancelFunc
}

// nextLook names a look for tasks. Its beginning names the process.
func (w *waiter) nextLook() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	w.asking = w.self + strconv.FormatInt(w.looks, 36)
	return w.asking
}

// begin notes that the handler of a task runs, and returns what notes its end.
func (w *waiter) begin(ctx context.Context, t taskName) (context.Context, *run, func()) {
	ctx, cancel := context.WithCancel(ctx)
	w.mu.Lock()
	r := w.runs[t]
	if r != nil {
		r.cancel = cancel
		ctx = context.WithValue(ctx, placeKey{}, Place{w, r})
	}
	w.mu.Unlock()
	return ctx, r, func() {
		cancel()
		w.mu.Lock()
		defer w.mu.Unlock()
		if r != nil {
			r.ended = true
			w.unparkLocked(r, r.parked)
			w.leaveLocked(r)
		}
	}
}

// leaveLocked gives the run's place back to its lane. mu is held.
func (w *waiter) leaveLocked(r *run) {
	if !r.counts {
		return
	}
	r.counts = false
	l := w.lanes[wire.PendingKey(r.lane)]
	full := w.fullLocked(l)
	l.inWork--
	w.inWork--
	if full {
		w.signal()
	}
}

// forgetLocked drops a run that asynq is done with. mu is held.
func (w *waiter) forgetLocked(r *run) {
	if w.runs[r.taskName] == r {
		delete(w.runs, r.taskName)
	}
	w.leaveLocked(r)
}

// runOf returns the run of a task; nil: this process has none.
func (w *waiter) runOf(t taskName) *run {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.runs[t]
}

// ours tells whether a task in work is still this process's run of it.
func (w *waiter) ours(ctx context.Context, t taskName) (bool, error) {
	r := w.runOf(t)
	if r == nil {
		return false, nil
	}
	return ours(ctx, w.UniversalClient, t, r.look)
}

// lostReply tells whether this process took a task without hearing of it: the
// reply to that look was lost.
func (w *waiter) lostReply(t taskName, look string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.runs[t]
	return look != w.asking && (r == nil || r.look != look)
}

// tidy forgets the runs for which asynq calls no script any more: it does not
// when the lease was lost before the handler returned.
func (w *waiter) tidy(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.runs {
		if now.After(r.until) && (r.ended || r.cancel == nil) {
			w.forgetLocked(r)
		}
	}
}

// ZAddXX is asynq's heartbeat. It names all tasks in work, those included that
// somebody took over while this process was frozen. Their handlers are canceled.
func (w *waiter) ZAddXX(ctx context.Context, key string, members ...redis.Z) *redis.IntCmd {
	lane, ok := w.leases[key]
	if !ok {
		return w.UniversalClient.ZAddXX(ctx, key, members...)
	}
	now, cmd := time.Now(), redis.NewIntCmd(ctx)
	call := beatScript.Call().Key("leases", key).Arg("lease_end", w.now().Add(leaseFor).Unix())
	beating := map[string]*run{}
	for _, m := range members {
		id, _ := m.Member.(string)
		if r := w.runOf(taskName{lane, id}); r != nil {
			call.Row("task").Key("task", r.key()).Arg("id", id).Arg("run", r.look)
			beating[id] = r
		}
	}
	lost, err := call.Run(ctx, w.UniversalClient).StringSlice()
	if err != nil {
		cmd.SetErr(err)
		return cmd
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range beating {
		r.until = now.Add(leaseFor)
	}
	for _, id := range lost {
		if r := beating[id]; r.cancel != nil {
			r.cancel()
		}
	}
	return cmd
}
