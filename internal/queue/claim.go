package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// claimedFor is how long nobody else claims a task that a reaper has claimed:
// long enough to fence it and to put it back, short enough that another reaper
// completes what a dead one began.
const claimedFor = unchanged + 2*time.Second

// claimScript claims a task whose lease is still the one that was seen. The
// lease moves on, so no other reaper claims it too.
//
//	KEYS: lease, active, task
//	ARGV: task id, lease seen (Unix s; "": none), run, new lease
//	Returns 1 if the task is ours, now or before.
var claimScript = redis.NewScript(`
local run = redis.call('HGET', KEYS[3], 'run')
if run == ARGV[3] then return 1 end
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if (score or '') ~= ARGV[2] and (not score or tonumber(score) ~= tonumber(ARGV[2])) then return 0 end
if redis.call('HEXISTS', KEYS[3], 'msg') == 0 then
  redis.call('LREM', KEYS[2], 0, ARGV[1])
  redis.call('ZREM', KEYS[1], ARGV[1])
  return 0
end
if redis.call('HGET', KEYS[3], 'state') ~= 'active' and not redis.call('LPOS', KEYS[2], ARGV[1]) then
  redis.call('ZREM', KEYS[1], ARGV[1])
  return 0
end
redis.call('ZADD', KEYS[1], ARGV[4], ARGV[1])
redis.call('HSET', KEYS[3], 'run', ARGV[3])
return 1
`)

// claim claims a task for a run; false: somebody else has it.
func claim(ctx context.Context, rdb redis.UniversalClient, l lease, run string, now time.Time) (bool, error) {
	seen := ""
	if l.until != noLease {
		seen = strconv.FormatInt(l.until, 10)
	}
	// Its age is that of a lease that becomes overdue when claimedFor is over.
	until := now.Add(leaseFor - overdue + claimedFor).Unix()
	ok, err := claimScript.Run(ctx, rdb, []string{wire.LeaseKey(l.lane), wire.ActiveKey(l.lane), l.key()}, l.id, seen, run, until).Bool()
	if err != nil {
		return false, fmt.Errorf("claim task %s: %w", l.id, err)
	}
	return ok, nil
}

// ours tells whether a task is still the run's.
func ours(ctx context.Context, rdb redis.UniversalClient, t taskName, run string) (bool, error) {
	got, err := rdb.HGet(ctx, t.key(), fieldRun).Result()
	if err != nil && err != redis.Nil { //nolint:errorlint // go-redis returns it bare
		return false, fmt.Errorf("look whose task %s is: %w", t.id, err)
	}
	return err == nil && got == run, nil
}

// endScript ends a run that a worker did not end itself: the task is due again,
// now or later, or is archived. The run stays in the task until the next one
// begins, so that this script gives the same answer when it is sent again.
//
//	KEYS: active, lease, task, pending, retry, archived
//	ARGV: task id, run, "1" if the run crashed, now (Unix s), now (Unix ns),
//	      when it is due (Unix s), 0: now, what to add to the encoding to archive it, "": it is not archived
//	Returns the crashes in a row, or -1 if the task is no longer this run's.
var endScript = redis.NewScript(`
if redis.call('HGET', KEYS[3], 'run') ~= ARGV[2] then return -1 end
local crashes = tonumber(redis.call('HGET', KEYS[3], 'crashes') or 0)
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then return crashes end
redis.call('LREM', KEYS[1], 0, ARGV[1])
if ARGV[3] == '1' then crashes = redis.call('HINCRBY', KEYS[3], 'crashes', 1) end
if ARGV[7] ~= '' then
  redis.call('ZADD', KEYS[6], ARGV[4], ARGV[1])
  redis.call('HSET', KEYS[3], 'state', 'archived', 'msg', redis.call('HGET', KEYS[3], 'msg') .. ARGV[7])
elseif ARGV[6] ~= '0' then
  redis.call('ZADD', KEYS[5], ARGV[6], ARGV[1])
  redis.call('HSET', KEYS[3], 'state', 'retry')
else
  redis.call('RPUSH', KEYS[4], ARGV[1])
  redis.call('HSET', KEYS[3], 'state', 'pending', 'pending_since', ARGV[5])
end
return crashes
`)

// end is how a run ends that its worker did not end itself.
type end struct {
	taskName
	run     string
	crashed bool
	due     time.Time // zero: now
	archive string    // the reason; "": it runs again
}

// do ends the run. It answers the crashes in a row, or -1 if the task is no
// longer this run's.
func (e end) do(ctx context.Context, rdb redis.UniversalClient, now time.Time) (crashes int, err error) {
	keys := []string{
		wire.ActiveKey(e.lane), wire.LeaseKey(e.lane), e.key(),
		wire.PendingKey(e.lane), wire.RetryKey(e.lane), wire.ArchivedKey(e.lane),
	}
	var due int64
	if !e.due.IsZero() {
		due = e.due.Unix()
	}
	reason := []byte(nil)
	if e.archive != "" {
		reason = wire.TaskError(e.archive)
	}
	crashed := 0
	if e.crashed {
		crashed = 1
	}
	crashes, err = endScript.Run(ctx, rdb, keys, e.id, e.run, crashed, now.Unix(), now.UnixNano(), due, reason).Int()
	if err != nil {
		return 0, fmt.Errorf("put task %s back: %w", e.id, err)
	}
	return crashes, nil
}
