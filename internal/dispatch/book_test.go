package dispatch_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

// The book that the property tests use is compared with the scripts in Redis: the same operations in the same order, among
// them steps that come too late, steps that are sent twice, fences and cancels,
// have the same answers and leave the same chunks and balances.
func TestTheBookInMemoryIsTheBookInRedis(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	rapid.Check(t, func(rt *rapid.T) {
		if err := rdb.FlushDB(t.Context()).Err(); err != nil {
			rt.Fatal(err)
		}
		b := &books{T: rt, outer: t, rdb: rdb, memory: newMemoryBook(), store: &ledger.Store{Redis: rdb}}
		for i := range rapid.IntRange(1, 3).Draw(rt, "chunks") {
			b.add(i)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"load":         b.load,
			"settle":       b.settle,
			"settle again": b.settleAgain,
			"fence":        b.fence,
			"cancel":       b.cancel,
			"recheck":      b.recheck,
			"":             b.compare,
		})
		if why := b.memory.complaints(); len(why) > 0 {
			rt.Fatalf("%q", why)
		}
	})
}

// books are the two books, and what a worker has loaded from them.
type books struct {
	*rapid.T
	outer  *testing.T
	rdb    *redis.Client
	memory *memoryBook
	store  *ledger.Store
	tasks  []task
	refs   []string
	jobs   []string
	single map[string]bool
	loads  []loaded
	sent   [2]*ledger.Step // the last step, for each book
}

// loaded is one chunk as both books gave it.
type loaded struct{ memory, redis *ledger.Open }

func (b *books) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// add puts the same chunk, with its jobs' ledgers, into both.
func (b *books) add(n int) {
	ctx := b.outer.Context()
	c := wire.Chunk{Messages: []string{message("one")}}
	if b.single == nil {
		b.single = map[string]bool{}
	}
	for i := range rapid.IntRange(1, 3).Draw(b.T, "jobs") {
		e := wire.Entry{Job: fmt.Sprintf("job-%d-%d", n, i), Start: 1, Expires: time.Now().Add(time.Hour).UnixMilli()}
		for k := range rapid.IntRange(1, 3).Draw(b.T, "tokens") {
			e.Tokens = append(e.Tokens, fmt.Sprintf("%s-token-%d", e.Job, k))
		}
		e.Single = len(e.Tokens) == 1
		c.Entries = append(c.Entries, e)
		b.jobs, b.single[e.Job] = append(b.jobs, e.Job), e.Single
		if e.Single {
			b.must(b.rdb.Set(ctx, wire.JobKey(e.Job), wire.Single{Outcome: wire.Pending, App: "shop"}.Encode(), 0).Err())
			continue
		}
		b.must(b.rdb.HSet(ctx, wire.JobKey(e.Job), wire.FieldState, wire.Running, wire.FieldApp, "shop", wire.FieldAccepted, len(e.Tokens)).Err())
	}
	ref := fmt.Sprintf("{chunk-%d}", n)
	raw, err := c.Encode()
	b.must(err)
	b.must(b.rdb.Set(ctx, wire.ChunkKey(ref), raw, 0).Err())
	b.tasks, b.refs = append(b.tasks, b.memory.add(ref, "nova:normal", c)), append(b.refs, ref)
}

func (b *books) load(t *rapid.T) {
	h, err := wire.DecodeHeader(rapid.SampledFrom(b.tasks).Draw(t, "task").Payload)
	b.must(err)
	one, err := b.memory.Load(b.outer.Context(), h)
	b.must(err)
	two, err := b.store.Load(b.outer.Context(), h)
	b.must(err)
	b.same(one, two)
	if one != nil {
		b.loads = append(b.loads, loaded{one, two})
	}
}

// same compares two chunks except for their generations, which are random.
func (b *books) same(one, two *ledger.Open) {
	b.Helper()
	if one == nil || two == nil {
		if one != two {
			b.Fatalf("one book has the chunk: memory %v, Redis %v", one, two)
		}
		return
	}
	x, y := *one.Chunk, *two.Chunk
	x.Gen, y.Gen = 0, 0
	if !reflect.DeepEqual(x, y) || !slices.Equal(one.Canceled, two.Canceled) || !slices.Equal(one.Settled, two.Settled) {
		b.Fatalf("in memory %+v, canceled %v, settled %v;\nin Redis %+v, canceled %v, settled %v",
			x, one.Canceled, one.Settled, y, two.Canceled, two.Settled)
	}
}

// settle ends some tokens of a chunk that was loaded before, perhaps too long ago.
func (b *books) settle(t *rapid.T) {
	if len(b.loads) == 0 {
		t.Skip("nothing is loaded")
	}
	l := rapid.SampledFrom(b.loads).Draw(t, "load")
	states, jobs := slices.Clone(l.memory.Chunk.States), []ledger.JobStep(nil)
	at, left := 0, 0
	for _, e := range l.memory.Chunk.Entries {
		j := ledger.JobStep{Job: e.Job, Single: e.Single, Outcomes: map[wire.Outcome]int{}, Codes: map[string]int{}}
		for range e.Tokens {
			switch {
			case states[at] == wire.Resolved:
			case rapid.Bool().Draw(t, "ends"):
				states[at] = wire.Resolved
				j.Outcomes[rapid.SampledFrom([]wire.Outcome{wire.Delivered, wire.Dropped, wire.Expired, wire.Canceled}).Draw(t, "outcome")]++
				j.Codes["nova/response/ok"]++
			default:
				states[at] = min(states[at]+1, wire.MaxAttempts)
				left++
			}
			at++
		}
		if len(j.Outcomes) > 0 {
			jobs = append(jobs, j)
		}
	}
	for i, o := range []*ledger.Open{l.memory, l.redis} {
		b.sent[i] = &ledger.Step{
			Ref: o.Ref, App: "shop", Vendor: "nova", States: states, Offset: o.Chunk.StatesOffset(), Done: left == 0, Jobs: jobs,
		}
		b.sent[i].Follow(o.Chunk.Gen)
	}
	b.record(t)
}

// settleAgain sends the last step again, as after a lost reply.
func (b *books) settleAgain(t *rapid.T) {
	if b.sent[0] == nil {
		t.Skip("nothing was settled")
	}
	b.record(t)
}

func (b *books) record(t *rapid.T) {
	one, err := b.memory.Settle(b.outer.Context(), b.sent[:1])
	b.must(err)
	two, err := b.store.Settle(b.outer.Context(), b.sent[1:])
	b.must(err)
	if one[0] != two[0] {
		t.Fatalf("recorded in memory: %v, in Redis: %v", one[0], two[0])
	}
}

func (b *books) fence(t *rapid.T) {
	ref := rapid.SampledFrom(b.refs).Draw(t, "chunk")
	b.must(b.memory.Fence(b.outer.Context(), ref, ours))
	b.must(b.store.Fence(b.outer.Context(), ref, ours))
}

func (b *books) cancel(t *rapid.T) {
	job := rapid.SampledFrom(b.jobs).Draw(t, "job")
	if b.memory.count(job, wire.Pending) == 0 {
		t.Skip("it is finished")
	}
	b.memory.cancel(job)
	b.must(b.store.Cancel(b.outer.Context(), job))
}

// recheck asks both whether a chunk that was loaded may still be sent.
func (b *books) recheck(t *rapid.T) {
	if len(b.loads) == 0 {
		t.Skip("nothing is loaded")
	}
	l := rapid.SampledFrom(b.loads).Draw(t, "load")
	var answers [2]string
	for i, o := range []*ledger.Open{l.memory, l.redis} {
		h := ledger.Loaded{Chunk: o.Ref, Gen: o.Chunk.Gen}
		for _, e := range o.Chunk.Entries {
			h.Jobs = append(h.Jobs, ledger.Ref{Job: e.Job, Single: e.Single})
		}
		var err error
		if i == 0 {
			answers[i], err = b.memory.Recheck(b.outer.Context(), []ledger.Loaded{h})
		} else {
			answers[i], err = b.store.Recheck(b.outer.Context(), []ledger.Loaded{h})
		}
		b.must(err)
	}
	if answers[0] != answers[1] {
		t.Fatalf("in memory %q, in Redis %q", answers[0], answers[1])
	}
}

// compare compares every chunk and balance of the two.
func (b *books) compare(t *rapid.T) {
	left, err := b.memory.Left(b.outer.Context(), b.refs)
	b.must(err)
	have, err := b.store.Left(b.outer.Context(), b.refs)
	b.must(err)
	if !slices.Equal(left, have) {
		t.Fatalf("chunks in memory %v, in Redis %v", left, have)
	}
	for _, job := range b.jobs {
		st, err := b.store.Status(b.outer.Context(), job)
		b.must(err)
		for o, n := range map[wire.Outcome]int{
			wire.Delivered: st.Delivered, wire.Dropped: st.Dropped, wire.Expired: st.Expired, wire.Canceled: st.Canceled, wire.Pending: st.Pending,
		} {
			if want := b.memory.count(job, o); n != want {
				t.Fatalf("job %s has %d %s in Redis, want %d", job, n, o, want)
			}
		}
	}
}
