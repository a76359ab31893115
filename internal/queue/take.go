package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/lua"
	"github.com/postrider/postrider/pkg/push/wire"
)

// take asks Redis for n tasks. They are ready for when asynq asks.
func (w *waiter) take(ctx context.Context, keys []string, l *waitLane, n int) error {
	look, taken := w.nextLook(), time.Now()
	words, err := takeScript.Call().
		Key("pending", keys[0]).Key("paused", keys[1]).Key("active", keys[2]).Key("leases", keys[3]).
		Arg("lease_end", w.now().Add(leaseFor).Unix()).
		Arg("task_prefix", wire.TaskKey(l.name, "")).
		Arg("run", look).
		Arg("most", n).
		Run(ctx, w.UniversalClient).StringSlice()
	clashes, unreadable := w.found(l, words, run{look: look, taken: taken, until: taken.Add(leaseFor)}, n)
	for _, r := range clashes {
		err = errors.Join(err, w.later(ctx, r))
	}
	for _, r := range unreadable {
		w.log.Error().Str("lane", r.lane).Str("task", r.id).Msg("asynq cannot read this task, or it says that it is another: it is archived")
		_, fault := end{taskName: r.taskName, run: r.look, archive: "unreadable"}.do(ctx, w.UniversalClient, w.now())
		err = errors.Join(err, fault)
	}
	return err
}

// found notes what a look took. clashes are tasks of which this process still
// has an earlier run, which it has lost: asynq could not tell the two apart.
// asynq would drop an unreadable one without a word to Redis.
func (w *waiter) found(l *waitLane, words []string, made run, asked int) (clashes, unreadable []*run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asking = ""
	all := 0
	for pair := range slices.Chunk(words, 2) {
		all++
		r := made
		r.taskName, r.msg = taskName{l.name, pair[0]}, pair[1]
		if old := w.runs[r.taskName]; old != nil {
			if old.cancel != nil {
				old.cancel()
			}
			clashes = append(clashes, &r)
			continue
		}
		var ok bool
		if r.lastError, ok = read(r.taskName, r.msg); !ok {
			unreadable = append(unreadable, &r)
			continue
		}
		l.inWork++
		w.inWork++
		r.counts = true
		w.runs[r.taskName] = &r
		l.ready = append(l.ready, &r)
	}
	if all > 0 {
		l.woke, l.paused = false, false
	}
	l.burst = 1
	if all == asked {
		l.burst = min(2*all, maxBurst)
	}
	return clashes, unreadable
}

// read returns why a task was put back; not ok: asynq cannot read it, or takes it
// for another. One that was put into the lane by hand may say that it is another,
// or of another queue: asynq would end that one, and this one would hold its place.
func read(name taskName, msg string) (lastError string, ok bool) {
	t, lastError, err := wire.DecodeTask([]byte(msg))
	return lastError, err == nil && t.ID == name.id && t.Queue == name.lane && utf8.ValidString(t.ID+t.Queue+lastError)
}

// backCall puts a task back that a run took and did not begin. due is a Unix
// second, 0 for now.
func backCall(t taskName, run string, due int64) *lua.Call {
	target := wire.PendingKey(t.lane)
	if due > 0 {
		target = wire.RetryKey(t.lane)
	}
	return backScript.Call().
		Key("active", wire.ActiveKey(t.lane)).
		Key("leases", wire.LeaseKey(t.lane)).
		Key("task", t.key()).
		Key("target", target).
		Arg("id", t.id).
		Arg("run", run).
		Arg("due", due)
}

// putBack puts a task back to the front of its lane.
func putBack(ctx context.Context, rdb redis.UniversalClient, t taskName, look string) error {
	if err := backCall(t, look, 0).Run(ctx, rdb).Err(); err != nil {
		return fmt.Errorf("give task %s back: %w", t.id, err)
	}
	return nil
}

// later has a task come again when the earlier run in this process is over, if
// no other worker takes it before.
func (w *waiter) later(ctx context.Context, r *run) error {
	if err := backCall(r.taskName, r.look, w.now().Add(2*time.Second).Unix()).Run(ctx, w.UniversalClient).Err(); err != nil {
		return fmt.Errorf("put task %s off: %w", r.id, err)
	}
	return nil
}

// giveBack puts back what was taken and not handed out: when asynq asks for no
// more tasks, all of it; before, what is not fresh any more.
func (w *waiter) giveBack(ctx context.Context, all []*run) error {
	var errs []error
	for _, r := range slices.Backward(all) {
		errs = append(errs, putBack(ctx, w.UniversalClient, r.taskName, r.look))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range all {
		w.forgetLocked(r)
	}
	return errors.Join(errs...)
}

// unready takes out of the lanes what is ready and was taken before a time.
func (w *waiter) unready(before time.Time) []*run {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*run
	for _, l := range w.lanes {
		l.ready = slices.DeleteFunc(l.ready, func(r *run) bool {
			old := r.taken.Before(before)
			if old {
				all = append(all, r)
			}
			return old
		})
	}
	return all
}
