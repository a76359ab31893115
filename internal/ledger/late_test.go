package ledger_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestAStepThatComesTooLateChangesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tokens []string
		gen    func(uint32) uint32
		done   bool
	}{
		"a step of an earlier run":            {[]string{"t1", "t2"}, func(g uint32) uint32 { return g - 1 }, false},
		"a last step of an earlier run":       {[]string{"t1", "t2"}, func(g uint32) uint32 { return g - 1 }, true},
		"a step of a single's earlier run":    {[]string{"t1"}, func(g uint32) uint32 { return g - 1 }, true},
		"a step of a run that is not thought": {[]string{"t1", "t2"}, func(g uint32) uint32 { return g + 1 }, true},
		"a step of far away":                  {[]string{"t1"}, func(g uint32) uint32 { return g ^ 0xff000000 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.stream(job("a", c.tokens...))
			r.settle(step(r.load(), broken, pending, pending))
			o := r.load()
			end := pending
			if c.done {
				end = wire.Dead
			}
			late := step(o, gone, end, end)
			late.Gen = c.gen(o.Chunk.Gen)
			late.Invalid, late.Dead = []ledger.InvalidToken{invalidToken()}, []ledger.DeadLetter{deadLetter()}
			before := r.dump()
			if ok := r.settle(late); ok[0] {
				t.Error("the step was recorded")
			}
			if !maps.Equal(r.dump(), before) {
				t.Error("something in Redis changed")
			}
		})
	}
}

// Two runs that read the same chunk: the second to record comes too late.
func TestOfTwoRunsOnlyTheFirstRecords(t *testing.T) {
	t.Parallel()
	for name, tokens := range map[string][]string{"of a single job": {"t1"}, "of a job of several tokens": {"t1", "t2"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.enqueue(job("a", tokens...))
			first, second := step(r.load(), broken, pending, pending), step(r.load(), success, delivered, delivered)
			if ok := r.settle(first); !ok[0] {
				t.Error("the first step was not recorded")
			}
			if ok := r.settle(second); ok[0] {
				t.Error("the second step was recorded")
			}
			if got := r.status("a"); got.Delivered != 0 || got.Pending != len(tokens) {
				t.Errorf("got %+v, want all pending", got)
			}
		})
	}
}

// A step whose answer was lost is sent again: it counts once, and its run goes on.
func TestAStepThatIsSentAgainIsKnown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue(job("a", "t1", "t2"))
	o := r.load()
	first := step(o, broken, delivered, pending)
	for range 2 {
		if ok := r.settle(first); !ok[0] {
			t.Error("the step is not known to be recorded")
		}
	}
	if got := r.status("a"); got.Delivered != 1 || got.Codes[broken] != 2 {
		t.Errorf("got %+v, want 1 delivered and 2 answers", got)
	}
	o.Chunk.Gen = first.Next
	if ok := r.settle(step(o, success, delivered, delivered)); !ok[0] {
		t.Error("the run's next step was refused")
	}
	if got := r.status("a"); got.Delivered != 2 || got.State != "done" {
		t.Errorf("got %+v, want 2 delivered", got)
	}
}

func TestAStepForAChunkThatIsGoneChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue(job("a", "t1", "t2"))
	s := step(r.load(), success, delivered, delivered)
	r.settle(s)
	again := *s
	again.Dead = []ledger.DeadLetter{deadLetter()}
	before := r.dump()
	if ok := r.settle(&again); ok[0] {
		t.Error("the step was recorded")
	}
	if !maps.Equal(r.dump(), before) {
		t.Error("something in Redis changed")
	}
}

func TestSeveralStepsAtOnceAreIndependent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var steps []*ledger.Step
	for _, id := range []string{"a", "b", "c"} {
		r.enqueue(job(id, id+"1", id+"2"))
	}
	for _, h := range r.headers() {
		s := step(r.open(h), success, delivered, delivered)
		if h.Job == "b" {
			s.Gen = 7
		}
		steps = append(steps, s)
	}
	ok := r.settle(steps...)
	for i, s := range steps {
		id := s.Jobs[0].Job
		if want := id != "b"; ok[i] != want {
			t.Errorf("the step of job %s was recorded: %v, want %v", id, ok[i], want)
		}
		want := 2
		if id == "b" {
			want = 0
		}
		if got := r.status(id).Delivered; got != want {
			t.Errorf("job %s has %d delivered, want %d", id, got, want)
		}
	}
}

// Redis forgets its scripts when it restarts.
func TestSettleLoadsItsScriptWhenRedisLostIt(t *testing.T) {
	t.Parallel()
	r := rigOn(t, redistest.Start(t).Client(t), 0) // forgetting is everybody's
	for i, id := range []string{"a", "b", "c", "d"} {
		r.enqueue(job(id, id+"1"))
		s := step(r.load(), success, delivered)
		r.must(r.rdb.ScriptFlush(t.Context()).Err())
		if ok := r.settle(s); !ok[0] || r.status(id).Delivered != 1 {
			t.Errorf("the step after flush %d: recorded=%v, %+v", i+1, ok[0], r.status(id))
		}
	}
}

func TestSettleReportsTheFaultsOfRedis(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue(job("a", "t1"))
	s := step(r.load(), success, delivered)
	r.must(r.rdb.Close())
	if ok, err := r.book.Settle(t.Context(), []*ledger.Step{s}); err == nil || slices.Contains(ok, true) {
		t.Errorf("got %v, %v, want an error and nothing recorded", ok, err)
	}
}

// Whatever the order of runs, of which some are late, the ledger says what a
// simple count says.
func TestTheLedgerBalancesWhateverHappens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		id := fmt.Sprintf("job-%d", n)
		tokens := make([]string, rapid.IntRange(1, 9).Draw(t, "tokens"))
		for i := range tokens {
			tokens[i] = fmt.Sprintf("%s-%d", id, i)
		}
		r.enqueue(job(id, tokens...))
		want := map[wire.Outcome]int{pending: len(tokens)}
		codes := map[string]int{}
		for range rapid.IntRange(1, 12).Draw(t, "rounds") {
			all := r.headers()
			if len(all) == 0 {
				break
			}
			o := r.open(rapid.SampledFrom(all).Draw(t, "chunk"))
			code := rapid.SampledFrom([]string{"huawei/http/50", "huawei/http/503", success}).Draw(t, "code")
			before := slices.Clone(o.Chunk.States)
			ends := rapid.SliceOfN(rapid.SampledFrom(append(wire.Outcomes(), pending)), len(before), len(before)).Draw(t, "ends")
			s := step(o, code, ends...)
			if rapid.IntRange(0, 3).Draw(t, "late") == 0 {
				s.Gen++
			} else {
				for i, end := range ends {
					if before[i] != wire.Resolved {
						want[pending]--
						want[end]++
						if len(tokens) > 1 || end != pending { // a single job's codes come with its outcome
							codes[code]++
						}
					}
				}
			}
			r.settle(s)
			got := r.status(id)
			for _, o := range append(wire.Outcomes(), pending) {
				if got.Count(o) != want[o] {
					t.Fatalf("%s is %d, want %d: %+v", o, got.Count(o), want[o], got)
				}
			}
			if !maps.Equal(got.Codes, codes) {
				t.Fatalf("codes are %v, want %v", got.Codes, codes)
			}
			if got.Ended() != (want[pending] == 0) {
				t.Fatalf("ended=%v with %d pending", got.Ended(), want[pending])
			}
		}
		r.must(r.rdb.FlushDB(r.Context()).Err())
	})
}
