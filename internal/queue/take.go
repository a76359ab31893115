package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/lua"
	"github.com/postrider/postrider/pkg/push/wire"
)

// take takes up to n tasks off a lane. They are ready for when asynq asks.
func (s *source) take(ctx context.Context, keys []string, l *sourceLane, n int) error {
	id, taken := s.newRunID(), time.Now()
	words, err := takeScript.Call().
		Key("pending", keys[0]).Key("paused", keys[1]).Key("active", keys[2]).Key("leases", keys[3]).
		Arg("lease_end", s.now().Add(leaseFor).Unix()).
		Arg("task_prefix", wire.TaskKey(l.name, "")).
		Arg("run", id).
		Arg("most", n).
		Run(ctx, s.rdb).StringSlice()
	clashes, unreadable := s.keep(l, words, run{runID: id, taken: taken, until: taken.Add(leaseFor)}, n)
	for _, r := range clashes {
		err = errors.Join(err, s.later(ctx, r))
	}
	for _, r := range unreadable {
		s.log.Error().Str("lane", r.lane).Str("task", r.id).Msg("asynq cannot read this task, or its encoding names another one: it is archived")
		_, fault := end{taskName: r.taskName, run: r.runID, archive: "unreadable"}.do(ctx, s.rdb, s.now())
		err = errors.Join(err, fault)
	}
	return err
}

// newRunID names the runs of the next take. Its beginning names the process.
func (s *source) newRunID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takes++
	s.taking = s.self + strconv.FormatInt(s.takes, 36)
	return s.taking
}

// keep stores what a take returned: words are ids and encodings in turn, asked is
// how many tasks it was to take. clashes are tasks of which this process still has
// an earlier run, which it has lost: asynq could not tell the two apart. asynq
// would drop an unreadable one without telling Redis.
func (s *source) keep(l *sourceLane, words []string, made run, asked int) (clashes, unreadable []*run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taking = ""
	all := 0
	for pair := range slices.Chunk(words, 2) {
		all++
		r := made
		r.taskName, r.msg = taskName{l.name, pair[0]}, pair[1]
		if old := s.runs[r.taskName]; old != nil {
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
		s.runs[r.taskName] = &r
		s.takeSlotLocked(&r)
		l.ready = append(l.ready, &r)
	}
	if all > 0 {
		s.watcher.took(l.name)
	}
	l.take = 1
	if all == asked {
		l.take = min(2*all, maxTake)
	}
	return clashes, unreadable
}

// read returns why a task was put back before; not ok: asynq cannot read it, or
// would take it for another one. A task that was put into the lane by hand may have
// the id of another one, or another queue's name: asynq would end that one, and this
// one would keep its slot.
func read(name taskName, msg string) (lastError string, ok bool) {
	t, lastError, err := wire.DecodeTask([]byte(msg))
	return lastError, err == nil && t.ID == name.id && t.Queue == name.lane && utf8.ValidString(t.ID+t.Queue+lastError)
}

// backCall puts a task back that a run took and did not begin. due is a Unix
// second, 0 for now.
func backCall(t taskName, runID string, due int64) *lua.Call {
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
		Arg("run", runID).
		Arg("due", due)
}

// putBack puts a task back to the front of its lane.
func putBack(ctx context.Context, rdb redis.UniversalClient, t taskName, runID string) error {
	if err := backCall(t, runID, 0).Run(ctx, rdb).Err(); err != nil {
		return fmt.Errorf("put task %s back to its lane: %w", t.id, err)
	}
	return nil
}

// later has a task come again when the earlier run in this process has ended, if
// no other worker takes it before.
func (s *source) later(ctx context.Context, r *run) error {
	if err := backCall(r.taskName, r.runID, s.now().Add(2*time.Second).Unix()).Run(ctx, s.rdb).Err(); err != nil {
		return fmt.Errorf("put task %s off: %w", r.id, err)
	}
	return nil
}

// giveBack puts tasks back that were taken and not given to asynq: when asynq asks
// for no more tasks, all of them; before, those that are no longer fresh.
func (s *source) giveBack(ctx context.Context, all []*run) error {
	var errs []error
	for _, r := range slices.Backward(all) {
		errs = append(errs, putBack(ctx, s.rdb, r.taskName, r.runID))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range all {
		s.forgetLocked(r)
	}
	return errors.Join(errs...)
}

// unready removes from the lanes what is ready and was taken before a time.
func (s *source) unready(before time.Time) []*run {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*run
	for _, l := range s.lanes {
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
