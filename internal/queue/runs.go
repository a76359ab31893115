package queue

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// fieldRun is the field of asynq's task hash that says whose run of the task
// counts: the process that took the task off its lane, or the reaper that claimed
// it. asynq knows only that a task is in work, not by whom; without the field a
// worker that was frozen would remove the entry of the run that replaced its own.
const fieldRun = "run"

// freshFor is how long a task may wait between being taken and being given to
// asynq. Nothing renews its lease meanwhile, so later it may be another worker's.
const freshFor = 4 * time.Second

// taskName names a task.
type taskName struct{ lane, id string }

func (t taskName) key() string { return wire.TaskKey(t.lane, t.id) }

// run is one taking of a task by this process, from the script that took it to
// the one that ends it. The source's mu guards what changes.
type run struct {
	taskName
	runID string // see fieldRun
	msg   string // as asynq encodes it
	// lastError is why the task was put back before; "": it was not.
	lastError string
	taken     time.Time
	// until is when asynq gives the lease up and calls no script for it any more.
	until time.Time
	// hasSlot says that it has one of its lane's slots, waiting how many of its
	// goroutines wait without one.
	hasSlot bool
	waiting int
	// again is when the task comes again, if its handler said so.
	again  *AgainError
	ended  bool // its handler returned
	cancel context.CancelFunc
}

// begin notes that the handler of a task runs, and returns what notes its end. The
// run is nil for a task that this process has not taken, or no longer has.
func (s *source) begin(ctx context.Context, t taskName) (context.Context, *run, func()) {
	ctx, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	r := s.runs[t]
	if r != nil {
		r.cancel = cancel
		ctx = context.WithValue(ctx, placeKey{}, Place{s, r})
	}
	s.mu.Unlock()
	return ctx, r, func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		if r != nil {
			r.ended = true
			s.goOnLocked(r, r.waiting)
			s.freeSlotLocked(r)
		}
	}
}

// forget drops a run that asynq is done with.
func (s *source) forget(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetLocked(r)
}

// forgetLocked is forget, with mu held.
func (s *source) forgetLocked(r *run) {
	if s.runs[r.taskName] == r {
		delete(s.runs, r.taskName)
	}
	s.freeSlotLocked(r)
}

// runOf returns the run of a task; nil: this process has none.
func (s *source) runOf(t taskName) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs[t]
}

// ours reports whether a task in work is still this process's run of it.
func (s *source) ours(ctx context.Context, t taskName) (bool, error) {
	r := s.runOf(t)
	if r == nil {
		return false, nil
	}
	return ours(ctx, s.rdb, t, r.runID)
}

// lostReply reports whether this process took a task without learning of it: the
// reply to the script that took it was lost.
func (s *source) lostReply(t taskName, runID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runs[t]
	return runID != s.taking && (r == nil || r.runID != runID)
}

// tidy forgets the runs for which asynq calls no script any more: it calls none
// when the lease was lost before the handler returned.
func (s *source) tidy(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		if now.After(r.until) && (r.ended || r.cancel == nil) {
			s.forgetLocked(r)
		}
	}
}

// ZAddXX is asynq's heartbeat. It names all tasks in work, including those that
// another worker took over while this process was frozen: their leases are not
// renewed, and their handlers are canceled.
func (c *client) ZAddXX(ctx context.Context, key string, members ...redis.Z) *redis.IntCmd {
	lane, ok := c.leases[key]
	if !ok {
		return c.UniversalClient.ZAddXX(ctx, key, members...)
	}
	cmd := redis.NewIntCmd(ctx)
	if err := c.source.renew(ctx, lane, members); err != nil {
		cmd.SetErr(err)
	}
	return cmd
}

// renew renews the leases of tasks that are still this process's.
func (s *source) renew(ctx context.Context, lane string, tasks []redis.Z) error {
	now := time.Now()
	call := beatScript.Call().Key("leases", wire.LeaseKey(lane)).Arg("lease_end", s.now().Add(leaseFor).Unix())
	renewed := map[string]*run{}
	for _, t := range tasks {
		id, _ := t.Member.(string)
		if r := s.runOf(taskName{lane, id}); r != nil {
			call.Row("task").Key("task", r.key()).Arg("id", id).Arg("run", r.runID)
			renewed[id] = r
		}
	}
	lost, err := call.Run(ctx, s.rdb).StringSlice()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range renewed {
		r.until = now.Add(leaseFor)
	}
	for _, id := range lost {
		if r := renewed[id]; r.cancel != nil {
			r.cancel()
		}
	}
	return nil
}
