package queue

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// reapEvery is how often the leases are read. With overdue it follows that a dead
	// worker's tasks run again after 13 s at the latest.
	reapEvery = 2 * time.Second
	// maxCrashes is how many crashes in a row end a task. The first two say nothing about
	// it, because all tasks in work were in them. After that it runs with few others, so
	// only a task that kills its worker is in the next three.
	maxCrashes = 5
	// takeOvers is how many tasks a reaper takes over at once.
	takeOvers = 8
)

// reaper has a dead worker's tasks run again within seconds. Every worker has one. It
// claims a task first, then has it fenced, then puts it back; a reaper that loses the
// race for the claim does nothing, and a task whose reaper dies in between is claimed
// again by another.
type reaper struct {
	rdb     redis.UniversalClient
	lanes   []string
	fence   func(ctx context.Context, t Task, ours func(context.Context) (bool, error)) error
	log     zerolog.Logger
	self    string // what the ids of this process's runs begin with
	clients []*client
	leases  leases
	// recovered counts tasks whose worker died; nil: nobody counts them.
	recovered func(reason string, n int)
}

func lanesOf(vendors []string) []string {
	var all []string
	for _, v := range vendors {
		for _, p := range push.Priorities() {
			all = append(all, wire.Lane(v, string(p)))
		}
	}
	return all
}

// reap reads all tasks in work once, and returns how many it gave up.
func (r *reaper) reap(ctx context.Context) (poison int, err error) {
	for _, c := range r.clients {
		c.source.tidy(time.Now())
	}
	now, all, err := r.read(ctx)
	if err != nil {
		return 0, err
	}
	lates, deads := r.leases.observe(time.Now(), now.Unix(), all)
	found, err := r.findings(ctx, now, lates, deads)
	if err != nil {
		return 0, err
	}
	var count [gaveUp + 1]atomic.Int64
	var g errgroup.Group
	g.SetLimit(takeOvers)
	for _, f := range found {
		g.Go(func() error {
			what, err := r.takeOver(ctx, f, now)
			count[what].Add(1)
			return err
		})
	}
	err = g.Wait()
	if n := count[ranAgain].Load() + count[hadNoLease].Load() + count[gaveUp].Load(); n > 0 && r.recovered != nil {
		r.recovered("worker-died", int(n))
	}
	if n := count[ranAgain].Load(); n > 0 {
		r.log.Warn().Int64("tasks", n).Msg("a worker died or is cut off from Redis: its tasks run again")
	}
	if n := count[hadNoLease].Load(); n > 0 {
		r.log.Warn().Int64("tasks", n).Msg("tasks were in work without a lease: they run again")
	}
	if n := count[wasLost].Load(); n > 0 {
		r.log.Info().Int64("tasks", n).Msg("Redis's reply was lost when tasks were taken: they run again")
	}
	return int(count[gaveUp].Load()), err
}

// read returns Redis's time and the leases of all lanes, in one round trip. A
// task in work without a lease gets the lease noLease.
func (r *reaper) read(ctx context.Context) (time.Time, []lease, error) {
	held, active := make([]*redis.ZSliceCmd, len(r.lanes)), make([]*redis.StringSliceCmd, len(r.lanes))
	var clock *redis.TimeCmd
	_, err := r.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		clock = p.Time(ctx)
		for i, lane := range r.lanes {
			held[i] = p.ZRangeWithScores(ctx, wire.LeaseKey(lane), 0, -1)
			active[i] = p.LRange(ctx, wire.ActiveKey(lane), 0, -1)
		}
		return nil
	})
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("read leases: %w", err)
	}
	var all []lease
	for i, lane := range r.lanes {
		have := map[string]bool{}
		for _, z := range held[i].Val() {
			id, _ := z.Member.(string)
			have[id] = true
			all = append(all, lease{taskName{lane, id}, int64(z.Score)})
		}
		for _, id := range active[i].Val() {
			if !have[id] {
				have[id] = true
				all = append(all, lease{taskName{lane, id}, noLease})
			}
		}
	}
	return clock.Val(), all, nil
}

// finding is a task to be taken over.
type finding struct {
	lease
	task    Task // what is fenced; its ID is "" for a task that cannot be read
	crashes int  // before this one
	run     string
	lost    bool // this process took it, and the reply was lost
	due     time.Time
}

// findings reads what Redis knows about the tasks. Late ones matter only if this
// process took them and the reply was lost.
func (r *reaper) findings(ctx context.Context, now time.Time, lates, deads []lease) ([]finding, error) {
	all := append(lates, deads...)
	if len(all) == 0 {
		return nil, nil
	}
	cmds := make([]*redis.SliceCmd, len(all))
	_, err := r.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, l := range all {
			cmds[i] = p.HMGet(ctx, l.key(), "msg", "crashes", fieldRun)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read tasks of dead workers: %w", err)
	}
	var found []finding
	for i, l := range all {
		f := finding{lease: l}
		msg, _ := cmds[i].Val()[0].(string)
		crashes, _ := cmds[i].Val()[1].(string)
		f.run, _ = cmds[i].Val()[2].(string)
		f.crashes, _ = strconv.Atoi(crashes)
		if t, _, err := wire.DecodeTask([]byte(msg)); err == nil {
			f.task = Task{ID: t.ID, Payload: t.Payload}
		}
		f.lost = r.lostReply(f)
		if f.lost || i >= len(lates) {
			found = append(found, f)
		}
	}
	spread(now, found)
	return found, nil
}

// lostReply reports whether this process took the task and the reply was lost.
func (r *reaper) lostReply(f finding) bool {
	if !strings.HasPrefix(f.run, r.self) {
		return false
	}
	for _, c := range r.clients {
		if _, ok := c.leases[wire.LeaseKey(f.lane)]; ok {
			return c.source.lostReply(f.taskName, f.run)
		}
	}
	return false
}

const (
	// spreadOver is the time within which tasks that were in two crashes in a row begin
	// again.
	spreadOver = 35 * time.Second
	// gap is the time between two of them, if there are few, and gapSuspect the time after
	// a task that was in more crashes.
	gap, gapSuspect = time.Second, 5 * time.Second
)

// spread sets when the tasks are due. A task that was in one crash is due at once.
// Tasks that were in more run a few at a time, so that the next crash shows which one
// causes it. Reapers that see the same tasks set the same times.
func spread(now time.Time, found []finding) {
	var sum time.Duration
	wait := make([]time.Duration, len(found))
	for i, f := range found {
		switch {
		case f.lost || f.until == noLease || f.crashes == 0:
			continue
		case f.crashes == 1:
			sum += gap
		default:
			sum += gapSuspect
		}
		wait[i] = sum
	}
	for i := range found {
		if wait[i] > 0 {
			found[i].due = now.Add(time.Duration(float64(wait[i]) * min(1, float64(spreadOver)/float64(sum))))
		}
	}
}

// outcome is what was done about a finding.
type outcome int

const (
	untouched outcome = iota
	ranAgain
	hadNoLease
	wasLost
	gaveUp
)

// takeOver takes a task from its worker and has it run again, or gives it up.
func (r *reaper) takeOver(ctx context.Context, f finding, now time.Time) (outcome, error) {
	if f.lost {
		return wasLost, putBack(ctx, r.rdb, f.taskName, f.run)
	}
	run := "reaper-" + rand.Text()
	ok, err := claim(ctx, r.rdb, f.lease, run, now)
	if err != nil || !ok {
		return untouched, err
	}
	if f.task.ID != "" {
		still := func(ctx context.Context) (bool, error) { return ours(ctx, r.rdb, f.taskName, run) }
		if err := r.fence(ctx, f.task, still); err != nil {
			return untouched, fmt.Errorf("fence task %s: %w", f.id, err)
		}
	}
	e := end{taskName: f.taskName, run: run, crashed: f.until != noLease, due: f.due}
	if e.crashed && f.crashes+1 >= maxCrashes {
		e.archive = string(wire.DeadPoison) + ": " + strconv.Itoa(maxCrashes) + " workers in a row died with this task in work"
	}
	crashes, err := e.do(ctx, r.rdb, now)
	if err != nil || crashes < 0 {
		return untouched, err
	}
	if e.archive != "" {
		r.log.Error().Str("lane", f.lane).Str("task", f.id).Int("crashes", crashes).
			Msg("every worker that took this task died: it is given up")
		return gaveUp, nil
	}
	if !e.crashed {
		return hadNoLease, nil
	}
	return ranAgain, nil
}
