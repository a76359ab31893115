package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

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
		if got := r.status("a"); got.State != "canceled" || got.Pending != 1 || got.Ended() {
			t.Errorf("got %+v, want it canceled with one pending", got)
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
			t.Errorf("canceled are %v, want only the second", o.Canceled)
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

func TestAJobThatIsBeingStagedIsCanceledAtOnce(t *testing.T) {
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

func TestAJobWhoseTasksAreBeingEnqueuedIsCanceledWhenTheyAreWorked(t *testing.T) {
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
