package ledger_test

import (
	"context"
	"slices"
	"testing"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
)

// ours says that the task is still the caller's.
func ours(context.Context) (bool, error) { return true, nil }

// However often a chunk is taken over, no run that loaded it before holds it
// again, neither to send nor to record.
func TestAHundredFencesShutOutEveryEarlierRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue(job("a", "t1", "t2", "t3"))
	held := map[uint32]int{}
	var runs []*ledger.Open
	for n := range 100 {
		o := r.load()
		if before, ok := held[o.Chunk.Gen]; ok {
			t.Fatalf("after %d fences the generation is that after %d", n, before)
		}
		held[o.Chunk.Gen] = n
		runs = append(runs, o)
		r.must(r.book.Fence(t.Context(), o.Ref, ours))
		for i, run := range runs {
			why, err := r.book.Recheck(t.Context(), []ledger.Loaded{{Chunk: o.Ref, Gen: run.Chunk.Gen}})
			r.must(err)
			if why != ledger.TakenOver {
				t.Fatalf("after %d fences run %d still holds the chunk", n+1, i)
			}
		}
	}
	for i, run := range runs {
		if r.settle(step(run, success, slices.Repeat([]wire.Outcome{wire.Delivered}, 3)...))[0] {
			t.Fatalf("run %d recorded a step", i)
		}
	}
	if r.settle(step(r.load(), success, slices.Repeat([]wire.Outcome{wire.Delivered}, 3)...)); r.status("a").Delivered != 3 {
		t.Errorf("the last run recorded nothing: %+v", r.status("a"))
	}
}

// A fence belongs to a claim. When another worker claims the task between two
// steps of a fence, fences it and runs it, the late fence does not affect that run.
func TestALateFenceDoesNotAffectTheNextRun(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue(job("a", "t1", "t2"))
	ref := r.load().Ref
	var live *ledger.Open
	asked := 0
	r.must(r.book.Fence(t.Context(), ref, func(ctx context.Context) (bool, error) {
		if asked++; asked > 1 {
			return false, nil
		}
		// Now the reaper sleeps, after it was told that the task is its own.
		r.must(r.book.Fence(ctx, ref, ours))
		live = r.load()
		return true, nil
	}))
	if asked != 2 {
		t.Errorf("it was asked %d times whether the task is still the reaper's, want twice", asked)
	}
	if !r.settle(step(live, success, delivered, delivered))[0] {
		t.Error("the late fence shut out the live run")
	}
}

// A run that records a step between two steps of a fence is shut out all the same.
func TestAFenceOvertakesAStep(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue(job("a", "t1", "t2"))
	o := r.load()
	s := step(o, success, delivered, pending)
	done := false
	r.must(r.book.Fence(t.Context(), o.Ref, func(context.Context) (bool, error) {
		if !done {
			done = r.settle(s)[0]
		}
		return true, nil
	}))
	o.Chunk.Gen = s.Next
	if !done || r.settle(step(o, success, delivered, delivered))[0] {
		t.Errorf("the step before the fence was recorded: %v; so was the one after it", done)
	}
}
