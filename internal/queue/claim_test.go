package queue

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

const lane = "huawei:bulk"

// inWork puts a task in work, with a lease unless until is noLease.
func inWork(t *testing.T, rdb *redis.Client, id string, until int64, fields ...any) lease {
	t.Helper()
	ctx, name := t.Context(), taskName{lane, id}
	task := wire.Task{ID: id, Queue: lane, Payload: []byte(id)}
	_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, name.key(), append([]any{"msg", task.Encode(), "state", "active"}, fields...)...)
		p.LPush(ctx, wire.ActiveKey(lane), id)
		if until != noLease {
			p.ZAdd(ctx, wire.LeaseKey(lane), redis.Z{Score: float64(until), Member: id})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lease{name, until}
}

// whatIsThere is a lane's pending, active, leased, waiting and archived tasks.
func whatIsThere(t *testing.T, rdb *redis.Client) string {
	t.Helper()
	ctx := t.Context()
	return fmt.Sprint(rdb.LLen(ctx, wire.PendingKey(lane)).Val(), rdb.LLen(ctx, wire.ActiveKey(lane)).Val(),
		rdb.ZCard(ctx, wire.LeaseKey(lane)).Val(), rdb.ZCard(ctx, wire.RetryKey(lane)).Val(), rdb.ZCard(ctx, wire.ArchivedKey(lane)).Val())
}

var testNow = time.Unix(1_800_000_000, 0)

func TestClaims(t *testing.T) {
	t.Parallel()
	const seen = 1_800_000_005
	for name, c := range map[string]struct {
		change func(ctx context.Context, rdb *redis.Client, l lease)
		lease  int64
		want   bool
		left   string // pending, active, leased, waiting, archived
	}{
		"the lease is as it was seen": {nil, seen, true, "0 1 1 0 0"},
		"its worker has renewed it": {func(ctx context.Context, rdb *redis.Client, l lease) {
			rdb.ZAdd(ctx, wire.LeaseKey(lane), redis.Z{Score: seen + 5, Member: l.id})
		}, seen, false, "0 1 1 0 0"},
		"another reaper was first": {func(ctx context.Context, rdb *redis.Client, l lease) {
			_, _ = claim(ctx, rdb, l, "other", testNow)
		}, seen, false, "0 1 1 0 0"},
		"the reply of the first try was lost": {func(ctx context.Context, rdb *redis.Client, l lease) {
			_, _ = claim(ctx, rdb, l, "me", testNow)
		}, seen, true, "0 1 1 0 0"},
		"it was done meanwhile": {func(ctx context.Context, rdb *redis.Client, l lease) {
			rdb.Del(ctx, l.key(), wire.ActiveKey(lane), wire.LeaseKey(lane))
		}, seen, false, "0 0 0 0 0"},
		"it has no lease": {nil, noLease, true, "0 1 1 0 0"},
		"it had no lease, and has one now": {func(ctx context.Context, rdb *redis.Client, l lease) {
			rdb.ZAdd(ctx, wire.LeaseKey(lane), redis.Z{Score: seen, Member: l.id})
		}, noLease, false, "0 1 1 0 0"},
		"its task was deleted": {func(ctx context.Context, rdb *redis.Client, l lease) { rdb.Del(ctx, l.key()) }, seen, false, "0 0 0 0 0"},
		"only the lease is left of a run": {func(ctx context.Context, rdb *redis.Client, l lease) {
			rdb.Del(ctx, wire.ActiveKey(lane))
			rdb.HSet(ctx, l.key(), "state", "retry")
			rdb.ZAdd(ctx, wire.RetryKey(lane), redis.Z{Score: 1, Member: l.id})
		}, seen, false, "0 0 0 1 0"},
		"it is nowhere but has a lease": {func(ctx context.Context, rdb *redis.Client, _ lease) { rdb.Del(ctx, wire.ActiveKey(lane)) }, seen, true, "0 0 1 0 0"},
		"it is in work twice":           {func(ctx context.Context, rdb *redis.Client, l lease) { rdb.LPush(ctx, wire.ActiveKey(lane), l.id) }, seen, true, "0 2 1 0 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Client(t)
			l := inWork(t, rdb, "task", c.lease)
			if c.change != nil {
				c.change(t.Context(), rdb, l)
			}
			got, err := claim(t.Context(), rdb, l, "me", testNow)
			if err != nil || got != c.want {
				t.Errorf("claimed: %v, %v, want %v", got, err, c.want)
			}
			if left := whatIsThere(t, rdb); left != c.left {
				t.Errorf("left is %s, want %s", left, c.left)
			}
			if !c.want {
				return
			}
			for range 2 { // and again, as when the reply was lost
				if n, err := (end{taskName: l.taskName, run: "me", crashed: true}).do(t.Context(), rdb, testNow); err != nil || n != 1 {
					t.Errorf("put back: %d crashes, %v", n, err)
				}
			}
			if left := whatIsThere(t, rdb); left != "1 0 0 0 0" {
				t.Errorf("after it was put back left is %s", left)
			}
		})
	}
}

// A claim that nobody completes is another reaper's after some seconds; the
// first one, when it wakes up, does nothing more.
func TestAClaimThatIsNotCompletedIsTakenOver(t *testing.T) {
	t.Parallel()
	rdb, ctx := redistest.Client(t), t.Context()
	l := inWork(t, rdb, "task", testNow.Unix()-100)
	if ok, err := claim(ctx, rdb, l, "first", testNow); err != nil || !ok {
		t.Fatal(ok, err)
	}
	r := &reaper{rdb: rdb, lanes: []string{lane}, log: zerolog.Nop(), fence: noFence}
	var dead []lease
	var after time.Duration
	begin := time.Now()
	for ; len(dead) == 0 && after < time.Minute; after += reapEvery {
		_, all, err := r.read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, dead = r.leases.observe(begin.Add(after), testNow.Add(after).Unix(), all)
	}
	if after > 12*time.Second {
		t.Fatalf("the claim is taken over after %v", after)
	}
	found, err := r.findings(ctx, testNow, nil, dead)
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if what, err := r.takeOver(ctx, found[0], testNow); err != nil || what != ranAgain {
		t.Errorf("the second reaper: %v, %v", what, err)
	}
	if ok, err := ours(ctx, rdb, l.taskName, "first"); ok || err != nil {
		t.Errorf("the first still has it: %v, %v", ok, err)
	}
	if n, err := (end{taskName: l.taskName, run: "first", crashed: true}).do(ctx, rdb, testNow); n != -1 || err != nil {
		t.Errorf("the first put it back: %d, %v", n, err)
	}
	if got := rdb.HGet(ctx, l.key(), "crashes").Val(); got != "1" || whatIsThere(t, rdb) != "1 0 0 0 0" {
		t.Errorf("crashes are %s, left is %s", got, whatIsThere(t, rdb))
	}
}

func noFence(context.Context, Task, func(context.Context) (bool, error)) error { return nil }

// Tasks that were in two crashes in a row begin one after another, and all of
// them in time.
func TestTasksOfASecondCrashAreSpread(t *testing.T) {
	t.Parallel()
	of := func(crashes ...int) (all []finding) {
		for _, n := range crashes {
			all = append(all, finding{crashes: n})
		}
		return all
	}
	many := make([]int, 640)
	for i := range many {
		many[i] = 1
	}
	for name, c := range map[string]struct {
		found []finding
		want  string
	}{
		"a first crash":            {of(0, 0, 0), "now now now"},
		"a second one":             {of(1, 0, 1, 1), "1s now 2s 3s"},
		"a third one is suspect":   {of(1, 2, 2), "1s 6s 11s"},
		"one that was lost":        {[]finding{{crashes: 3, lost: true}}, "now"},
		"one that had no lease":    {[]finding{{crashes: 3, lease: lease{until: noLease}}}, "now"},
		"many, the last within 35": {of(many...), strings.TrimSpace(strings.Repeat("x ", 640))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spread(testNow, c.found)
			var got []string
			for _, f := range c.found {
				switch {
				case f.due.IsZero():
					got = append(got, "now")
				case strings.HasPrefix(c.want, "x"):
					got = append(got, "x")
				default:
					got = append(got, f.due.Sub(testNow).String())
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("they are due in %v, want %s", got, c.want)
			}
			if last := c.found[len(c.found)-1].due; last.After(testNow.Add(spreadOver)) {
				t.Errorf("the last is due in %v", last.Sub(testNow))
			}
		})
	}
}
