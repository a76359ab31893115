package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// reapEvery is how often the leases are looked at. With overdue it makes
	// that a dead worker's tasks run again after 13 s at the latest.
	reapEvery = 2 * time.Second
	// maxCrashes is how many workers a task may take down with it.
	maxCrashes = 3
)

// reapScript takes one task away from a worker that is dead: the task is due
// again at once, or is archived when it was too often in work as its worker
// died. How often that was stands beside the task and goes with it.
//
//	KEYS: active, lease, pending, archived, task
//	ARGV: task id, lease expected (Unix s), crashes that archive, now (Unix s),
//	      now (Unix ns), what is put behind the task's encoding when it is archived
//	Returns the crashes, or 0 if the lease is another by now.
var reapScript = redis.NewScript(`
local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then return 0 end
local msg = redis.call('HGET', KEYS[5], 'msg')
if not msg then return 0 end
local crashes = redis.call('HINCRBY', KEYS[5], 'crashes', 1)
if crashes >= tonumber(ARGV[3]) then
  redis.call('ZADD', KEYS[4], ARGV[4], ARGV[1])
  redis.call('HSET', KEYS[5], 'state', 'archived', 'msg', msg .. ARGV[6])
else
  redis.call('RPUSH', KEYS[3], ARGV[1])
  redis.call('HSET', KEYS[5], 'state', 'pending', 'pending_since', ARGV[5])
end
return crashes
`)

// reaper has a dead worker's tasks run again in seconds; asynq's own recoverer,
// which goes on beside it, takes one to two minutes. Every worker has one; that
// they all see the same does no harm, for the script asks again.
type reaper struct {
	rdb    redis.UniversalClient
	lanes  []string
	fence  func(ctx context.Context, t Task) error
	log    zerolog.Logger
	leases leases
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

// reap looks at all leases once, and tells how many tasks it gave up.
func (r *reaper) reap(ctx context.Context) (poison int, err error) {
	now, all, err := r.read(ctx)
	if err != nil {
		return 0, err
	}
	again := 0
	for _, one := range r.leases.look(time.Now(), now.Unix(), all) {
		crashes, err := r.take(ctx, one, now)
		switch {
		case err != nil:
			return poison, err
		case crashes >= maxCrashes:
			poison++
			r.log.Error().Str("lane", one.lane).Str("task", one.task).Int("crashes", crashes).
				Msg("every worker that took this task died: it is given up")
		case crashes > 0:
			again++
		}
	}
	if again > 0 {
		r.log.Warn().Int("tasks", again).Msg("a worker died or is cut off: its tasks run again")
	}
	return poison, nil
}

// read returns Redis's time and the leases of all lanes, in one round trip.
func (r *reaper) read(ctx context.Context) (time.Time, []lease, error) {
	cmds := make([]*redis.ZSliceCmd, len(r.lanes))
	var clock *redis.TimeCmd
	_, err := r.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		clock = p.Time(ctx)
		for i, lane := range r.lanes {
			cmds[i] = p.ZRangeWithScores(ctx, wire.LeaseKey(lane), 0, -1)
		}
		return nil
	})
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("read leases: %w", err)
	}
	var all []lease
	for i, cmd := range cmds {
		for _, z := range cmd.Val() {
			id, _ := z.Member.(string)
			all = append(all, lease{r.lanes[i], id, int64(z.Score)})
		}
	}
	return clock.Val(), all, nil
}

// take takes a task from its worker. What that may still want to record is shut
// out first: it may be asleep rather than dead.
func (r *reaper) take(ctx context.Context, l lease, now time.Time) (crashes int, err error) {
	key := wire.TaskKey(l.lane, l.task)
	msg, err := r.rdb.HGet(ctx, key, "msg").Bytes()
	if err != nil && err != redis.Nil { //nolint:errorlint // go-redis returns it bare
		return 0, fmt.Errorf("read task %s: %w", l.task, err)
	}
	if t, _, err := wire.DecodeTask(msg); err == nil {
		if err := r.fence(ctx, Task{ID: t.ID, Payload: t.Payload}); err != nil {
			return 0, fmt.Errorf("fence task %s: %w", l.task, err)
		}
	}
	reason := wire.TaskError(string(wire.DeadPoison) + ": " + strconv.Itoa(maxCrashes) + " workers died with this task in work")
	crashes, err = reapScript.Run(ctx, r.rdb,
		[]string{wire.ActiveKey(l.lane), wire.LeaseKey(l.lane), wire.PendingKey(l.lane), wire.ArchivedKey(l.lane), key},
		l.task, l.until, maxCrashes, now.Unix(), now.UnixNano(), reason,
	).Int()
	if err != nil {
		return 0, fmt.Errorf("take task %s back: %w", l.task, err)
	}
	return crashes, nil
}
