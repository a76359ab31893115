package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// claimedFor is how long no other reaper claims a task that a reaper has claimed: long
// enough to fence it and to put it back, short enough that another reaper soon
// completes what a dead one began.
const claimedFor = unchanged + 2*time.Second

// claim claims a task for a run; false: another worker has it.
func claim(ctx context.Context, rdb redis.UniversalClient, l lease, run string, now time.Time) (bool, error) {
	seen := ""
	if l.until != noLease {
		seen = strconv.FormatInt(l.until, 10)
	}
	// Its age is that of a lease that becomes overdue when claimedFor is over.
	until := now.Add(leaseFor - overdue + claimedFor).Unix()
	ok, err := claimScript.Call().
		Key("leases", wire.LeaseKey(l.lane)).
		Key("active", wire.ActiveKey(l.lane)).
		Key("task", l.key()).
		Arg("id", l.id).
		Arg("seen", seen).
		Arg("run", run).
		Arg("lease_end", until).
		Run(ctx, rdb).Bool()
	if err != nil {
		return false, fmt.Errorf("claim task %s: %w", l.id, err)
	}
	return ok, nil
}

// ours reports whether a task still belongs to the run.
func ours(ctx context.Context, rdb redis.UniversalClient, t taskName, run string) (bool, error) {
	got, err := rdb.HGet(ctx, t.key(), fieldRun).Result()
	if err != nil && err != redis.Nil { //nolint:errorlint // go-redis returns it bare
		return false, fmt.Errorf("read the run of task %s: %w", t.id, err)
	}
	return err == nil && got == run, nil
}

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
	var due int64
	if !e.due.IsZero() {
		due = e.due.Unix()
	}
	reason := []byte(nil)
	if e.archive != "" {
		reason = wire.TaskError(e.archive)
	}
	crashes, err = endScript.Call().
		Key("active", wire.ActiveKey(e.lane)).
		Key("leases", wire.LeaseKey(e.lane)).
		Key("task", e.key()).
		Key("pending", wire.PendingKey(e.lane)).
		Key("retry", wire.RetryKey(e.lane)).
		Key("archived", wire.ArchivedKey(e.lane)).
		Arg("id", e.id).
		Arg("run", e.run).
		Arg("crashed", e.crashed).
		Arg("now", now.Unix()).
		Arg("nanos", now.UnixNano()).
		Arg("due", due).
		Arg("reason", reason).
		Run(ctx, rdb).Int()
	if err != nil {
		return 0, fmt.Errorf("put task %s back: %w", e.id, err)
	}
	return crashes, nil
}
