package ledger_test

import (
	"slices"
	"testing"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestRecheckChecksManyJobsAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		jobs []ledger.Ref
		want string
	}{
		"jobs that go on":                   {[]ledger.Ref{{Job: "a", Single: true}, {Job: "b"}}, ""},
		"a single job that was canceled":    {[]ledger.Ref{{Job: "a", Single: true}, {Job: "c", Single: true}}, ledger.Canceled},
		"a job of many that was canceled":   {[]ledger.Ref{{Job: "d"}, {Job: "b"}}, ledger.Canceled},
		"jobs without a ledger":             {[]ledger.Ref{{Job: "nobody"}, {Job: "nobody", Single: true}}, ""},
		"jobs whose id another one has now": {[]ledger.Ref{{Job: "c"}, {Job: "d", Single: true}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.enqueue(job("a", "t1"), job("b", "t2", "t3"), job("c", "t4"), job("d", "t5", "t6"))
			r.must(r.book.Cancel(t.Context(), "c"))
			r.must(r.book.Cancel(t.Context(), "d"))
			o := r.open(r.headers()[0])
			got, err := r.book.Recheck(t.Context(), []ledger.Loaded{{Chunk: o.Ref, Gen: o.Chunk.Gen, Jobs: c.jobs}})
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestARunOwnsItsChunkUntilItIsFenced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue(job("a", "t1"), job("b", "t2", "t3", "t4"))
	o := r.load()
	held := func() string {
		t.Helper()
		why, err := r.book.Recheck(t.Context(), []ledger.Loaded{{Chunk: o.Ref, Gen: o.Chunk.Gen}})
		r.must(err)
		return why
	}
	// A step of its own, whose answer it has not heard yet, does not shut it out.
	first := step(o, success, wire.Delivered, wire.Pending, wire.Pending, wire.Pending)
	if got := r.settle(first); !got[0] || held() != "" {
		t.Fatalf("after its own step: %v, %q", got, held())
	}
	r.must(r.book.Fence(t.Context(), o.Ref, ours))
	if got := held(); got != ledger.TakenOver {
		t.Errorf("after the fence: %q, want %q", got, ledger.TakenOver)
	}
	o.Chunk.Gen = first.Next
	if got := r.settle(step(o, success, slices.Repeat([]wire.Outcome{wire.Delivered}, 4)...)); got[0] {
		t.Error("a run that was shut out has recorded a step")
	}
	if st := r.status("b"); st.Pending != 3 {
		t.Errorf("job b is %+v, want nothing counted", st)
	}
	next := r.load()
	r.settle(step(next, success, slices.Repeat([]wire.Outcome{wire.Delivered}, 4)...))
	if st := r.status("b"); st.Delivered != 3 {
		t.Errorf("after the next run job b is %+v, want 3 delivered", st)
	}
	// A chunk that is gone is nobody's, and a fence leaves nothing behind.
	r.must(r.book.Fence(t.Context(), o.Ref, ours))
	if r.exists(wire.ChunkKey(o.Ref)) || held() != ledger.TakenOver {
		t.Errorf("a chunk that is gone: exists %v, held %q", r.exists(wire.ChunkKey(o.Ref)), held())
	}
}

func TestLeftTellsWhichChunksAreThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue(job("a", "t1"))
	got, err := r.book.Left(t.Context(), []string{"{gone}", r.load().Ref, "{gone}:x"})
	if want := []bool{false, true, false}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}
