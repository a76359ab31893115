package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestCancelEndsWhatIsNotYetSent(t *testing.T) {
	t.Parallel()
	t.Run("a job of one token", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.enqueue(job("a", "t1"))
		r.settle(step(r.load(), broken, pending))
		for range 2 { // the second time changes nothing
			r.must(r.book.Cancel(t.Context(), "a"))
		}
		if got := r.status("a"); got.State != "canceled" || got.Pending != 1 || got.Ended() || got.Codes[broken] != 1 {
			t.Errorf("got %+v, want it canceled with one pending and its code", got)
		}
		o := r.load()
		if !o.Canceled[0] {
			t.Error("the chunk is not canceled at its load")
		}
		r.settle(step(o, success, wire.Canceled))
		if got := r.status("a"); got.State != "canceled" || got.Canceled != 1 || !got.Ended() {
			t.Errorf("got %+v, want one canceled", got)
		}
	})
	t.Run("a job of several chunks", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.stream(job("a", "t1", "t2", "t3", "t4", "t5", "t6"))
		all := r.headers()
		first := r.open(all[0])
		n := len(first.Chunk.States)
		r.settle(step(first, success, slices.Repeat([]wire.Outcome{delivered}, n)...))
		for range 2 {
			r.must(r.book.Cancel(t.Context(), "a"))
		}
		if got := r.status("a"); got.State != "canceled" || got.Pending != 6-n || got.Ended() {
			t.Errorf("got %+v, want it canceled with %d pending", got, 6-n)
		}
		last := r.open(all[1])
		if !last.Canceled[0] {
			t.Error("the chunk is not canceled at its load")
		}
		// What was in flight is counted as what it is.
		ends := slices.Repeat([]wire.Outcome{wire.Canceled}, 6-n)
		ends[0] = delivered
		r.settle(step(last, success, ends...))
		got := r.status("a")
		if got.State != "canceled" || got.Delivered != n+1 || got.Canceled != 5-n || !got.Ended() {
			t.Errorf("got %+v, want it canceled with %d delivered", got, n+1)
		}
		if r.exists(wire.MessageKey("a")) {
			t.Error("the message lies about")
		}
		if ttl := r.rdb.TTL(t.Context(), wire.JobKey("a")).Val(); ttl > ledger.DefaultKeep || ttl < ledger.DefaultKeep-time.Minute {
			t.Errorf("the ledger stays %v, want %v", ttl, ledger.DefaultKeep)
		}
		r.must(r.book.Cancel(t.Context(), "a"))
	})
	t.Run("one of several jobs in a chunk", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.enqueue(job("a", "t1"), job("b", "t2", "t3"), job("c", "t4"))
		r.must(r.book.Cancel(t.Context(), "b"))
		if o := r.load(); !slices.Equal(o.Canceled, []bool{false, true, false}) {
			t.Errorf("canceled are %v, want the second alone", o.Canceled)
		}
	})
}

func TestCancelRefusesWhatIsFinishedOrUnknown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		jobs []push.Job
		end  wire.Outcome
		want error
	}{
		"nobody":                       {nil, "", ledger.ErrUnknown},
		"one token delivered":          {[]push.Job{job("a", "t1")}, delivered, ledger.ErrFinished},
		"one token dead":               {[]push.Job{job("a", "t1")}, wire.Dead, ledger.ErrFinished},
		"one token canceled":           {[]push.Job{job("a", "t1")}, wire.Canceled, nil},
		"two tokens delivered":         {[]push.Job{job("a", "t1", "t2")}, delivered, ledger.ErrFinished},
		"two tokens expired":           {[]push.Job{job("a", "t1", "t2")}, wire.Expired, ledger.ErrFinished},
		"two tokens that are not sent": {[]push.Job{job("a", "t1", "t2")}, pending, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if len(c.jobs) > 0 {
				r.enqueue(c.jobs...)
				r.settle(step(r.load(), success, c.end, c.end))
			}
			before := r.dump()
			err := r.book.Cancel(t.Context(), "a")
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			after := r.dump()
			if c.want != nil && (len(after) != len(before) || after[wire.JobKey("a")] != before[wire.JobKey("a")]) {
				t.Error("a refused cancel changed something")
			}
		})
	}
}

func TestCancelRefusesALedgerOfANewerVersion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.must(r.rdb.Set(t.Context(), wire.JobKey("a"), "2p0 shop", 0).Err())
	if err := r.book.Cancel(t.Context(), "a"); !errors.Is(err, wire.ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
}

// half lays chunks of a job down and does not commit it.
func (r *rig) half(id string, n int) *push.Stream {
	r.Helper()
	j := job(id)
	j.Targets = nil
	s, err := r.client.Open(j)
	r.must(err)
	for i := range n {
		r.must(s.Add(r.Context(), i+1, "huawei", fmt.Appendf(nil, "t%04d", i)))
	}
	return s
}

func TestAJobThatIsBeingLaidDownEndsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.half("a", 4000)
	staged := r.status("a").Accepted
	r.must(r.book.Cancel(t.Context(), "a"))
	got := r.status("a")
	if got.State != "canceled" || staged == 0 || got.Canceled != staged || got.Accepted != staged || !got.Ended() {
		t.Errorf("got %+v, want the %d of Redis canceled", got, staged)
	}
	if _, err := s.Commit(t.Context()); !errors.Is(err, push.ErrDuplicate) {
		t.Errorf("the enqueue ends with %v, want it refused", err)
	}
	r.must(s.Abort(t.Context()))
	keys := r.rdb.Keys(t.Context(), "*").Val()
	if slices.Sort(keys); !slices.Equal(keys, []string{wire.JobKey("a"), wire.JobsKey}) {
		t.Errorf("redis holds %q, want only the ledger and the list of jobs", keys)
	}
	r.must(r.book.Cancel(t.Context(), "a"))
}

func TestAJobWhoseTasksAreBeingEnqueuedIsCanceledWhenTheyComeUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.stream(job("a", "t1", "t2", "t3", "t4", "t5"))
	r.must(r.rdb.HSet(t.Context(), wire.JobKey("a"), wire.FieldState, wire.Sealed).Err()) // as before its commit
	r.must(r.book.Cancel(t.Context(), "a"))
	for _, h := range r.headers() {
		o := r.open(h)
		if !o.Canceled[0] {
			t.Error("the chunk is not canceled at its load")
		}
		r.settle(step(o, success, slices.Repeat([]wire.Outcome{wire.Canceled}, len(o.Chunk.States))...))
	}
	if got := r.status("a"); got.State != "canceled" || got.Canceled != 5 || !got.Ended() {
		t.Errorf("got %+v, want 5 canceled", got)
	}
}

func TestHastenBringsForwardTheTasksOfThatJobAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const lane = "huawei:normal"
	later := func(id string, n int) push.Job {
		j := job(id, slices.Repeat([]string{"t"}, n)...)
		for i := range j.Targets["huawei"] {
			j.Targets["huawei"][i] += strings.Repeat("x", i)
		}
		j.NotBefore = time.Now().Add(time.Hour)
		return j
	}
	for _, j := range []push.Job{later("a-b", 9), later("a_b", 2), later("a-b.1", 1), later("a", 1), later("[*]", 1), later("*", 1)} {
		r.enqueue(j)
	}
	r.stream(later("a-b-large", 9))
	r.enqueue(later("shared-1", 1), later("shared-2", 1)) // keep their time
	// One of them was put back.
	moved := r.rdb.ZRange(t.Context(), wire.ScheduledKey(lane), 0, -1).Val()
	for _, id := range moved {
		if strings.HasPrefix(id, "a_b-") {
			r.must(r.rdb.ZRem(t.Context(), wire.ScheduledKey(lane), id).Err())
			r.must(r.rdb.ZAdd(t.Context(), "asynq:{huawei:normal}:retry", redis.Z{Member: id, Score: 1}).Err())
			break
		}
	}
	due := 0
	for id, want := range map[string]int{"a-b": 3, "a-b-large": 3, "*": 1, "[*]": 1, "nobody": 0, "shared-1": 0} {
		r.must(r.book.Hasten(t.Context(), id))
		now := r.rdb.LRange(t.Context(), wire.PendingKey(lane), 0, -1).Val()
		if got := len(now) - due; got != want {
			t.Errorf("%d tasks of %s come up, want %d", got, id, want)
		}
		due = len(now)
	}
	for _, id := range r.rdb.LRange(t.Context(), wire.PendingKey(lane), 0, -1).Val() {
		got := r.rdb.HMGet(t.Context(), wire.TaskKey(lane, id), "state", "pending_since").Val()
		if got[0] != "pending" || got[1] == nil {
			t.Errorf("task %s is %v, want it pending", id, got)
		}
	}
	rest := r.rdb.ZCard(t.Context(), wire.ScheduledKey(lane)).Val() + r.rdb.ZCard(t.Context(), "asynq:{huawei:normal}:retry").Val()
	if rest != 4 {
		t.Errorf("%d tasks keep their time, want those of a_b, a-b.1, a and the shared one", rest)
	}
}
