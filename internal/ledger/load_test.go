package ledger_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestLoadOfAFinishedChunkIsNil(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	o, err := r.book.Load(t.Context(), wire.Header{Version: 1, App: "shop", Job: "order-1", Chunk: wire.JobChunk("order-1", "huawei:0")})
	if o != nil || err != nil {
		t.Errorf("got %+v, %v, want nothing and no error", o, err)
	}
}

func TestLoadReadsWhatWasEnqueued(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		enqueue func(r *rig)
		jobs    []string
		tokens  [][]string
		single  bool
	}{
		"a job of one token":                {func(r *rig) { r.enqueue(job("a", "t1")) }, []string{"a"}, [][]string{{"t1"}}, true},
		"a job of several tokens":           {func(r *rig) { r.enqueue(job("a", "t1", "t2")) }, []string{"a"}, [][]string{{"t1", "t2"}}, false},
		"a large job, its message apart":    {func(r *rig) { r.stream(job("a", "t1", "t2")) }, []string{"a"}, [][]string{{"t1", "t2"}}, false},
		"a chunk that two jobs share":       {func(r *rig) { r.enqueue(job("a", "t1"), job("b", "t2")) }, []string{"a", "b"}, [][]string{{"t1"}, {"t2"}}, true},
		"a shared chunk of large and small": {func(r *rig) { r.enqueue(job("a", "t1", "t2"), job("b", "t3", "t4")) }, []string{"a", "b"}, [][]string{{"t1", "t2"}, {"t3", "t4"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.enqueue(r)
			o := r.load()
			if len(o.Canceled) != len(c.jobs) || len(o.Settled) != len(c.jobs) {
				t.Fatalf("got %d and %d notes, want one for each of %d jobs", len(o.Canceled), len(o.Settled), len(c.jobs))
			}
			for i, e := range o.Chunk.Entries {
				if e.Job != c.jobs[i] || !slices.Equal(e.Tokens, c.tokens[i]) || e.Single != c.single {
					t.Errorf("entry %d is %+v, want job %s with %v", i, e, c.jobs[i], c.tokens[i])
				}
				if o.Canceled[i] || o.Settled[i] {
					t.Errorf("entry %d is canceled=%v settled=%v, want neither", i, o.Canceled[i], o.Settled[i])
				}
				text := o.Message
				if e.Message >= 0 {
					text = o.Chunk.Messages[e.Message]
				}
				if m, err := push.DecodeMessage([]byte(text)); err != nil || m.Title != "Shipped" {
					t.Errorf("the message of entry %d is %q: %v", i, text, err)
				}
			}
		})
	}
}

func TestLoadTellsOfCanceledAndSettledJobs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		jobs              []push.Job
		large             bool
		change            func(r *rig)
		canceled, settled []bool
	}{
		"a single job that was canceled": {
			[]push.Job{job("a", "t1")}, false,
			func(r *rig) {
				r.set("a", wire.Single{Outcome: wire.Pending, Canceling: true, App: "shop"})
			}, []bool{true}, []bool{false},
		},
		"a job of several tokens that was canceled": {
			[]push.Job{job("a", "t1", "t2")}, false, func(r *rig) { r.state("a", wire.Canceling) }, []bool{true}, []bool{false},
		},
		"a large job that was canceled": {
			[]push.Job{job("a", "t1", "t2")}, true, func(r *rig) { r.state("a", wire.Canceling) }, []bool{true}, []bool{false},
		},
		"one of two single jobs was canceled": {
			[]push.Job{job("a", "t1"), job("b", "t2")}, false,
			func(r *rig) {
				r.set("b", wire.Single{Outcome: wire.Pending, Canceling: true, App: "shop"})
			}, []bool{false, true}, []bool{false, false},
		},
		"one of two jobs of several tokens was canceled": {
			[]push.Job{job("a", "t1", "t2"), job("b", "t3", "t4")}, false, func(r *rig) { r.state("a", wire.Canceling) },
			[]bool{true, false}, []bool{false, false},
		},
		"a single job that has its outcome": {
			[]push.Job{job("a", "t1")}, false,
			func(r *rig) {
				r.set("a", wire.Single{Outcome: wire.Delivered, App: "shop", Ended: time.Unix(1, 0)})
			}, []bool{false}, []bool{true},
		},
		"one of two single jobs has its outcome": {
			[]push.Job{job("a", "t1"), job("b", "t2")}, false,
			func(r *rig) {
				r.set("a", wire.Single{Outcome: wire.Canceled, App: "shop", Ended: time.Unix(1, 0)})
			}, []bool{false, false}, []bool{true, false},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if c.large {
				r.stream(c.jobs[0])
			} else {
				r.enqueue(c.jobs...)
			}
			c.change(r)
			o := r.load()
			if !slices.Equal(o.Canceled, c.canceled) || !slices.Equal(o.Settled, c.settled) {
				t.Errorf("got canceled %v, settled %v, want %v, %v", o.Canceled, o.Settled, c.canceled, c.settled)
			}
		})
	}
}

func (r *rig) set(id string, l wire.Single) {
	r.Helper()
	r.must(r.rdb.Set(r.Context(), wire.JobKey(id), l.Encode(), redis.KeepTTL).Err())
}

func (r *rig) state(id, state string) {
	r.Helper()
	r.must(r.rdb.HSet(r.Context(), wire.JobKey(id), wire.FieldState, state).Err())
}

func TestLoadRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change         func(r *rig, chunk string)
		corrupt, newer bool
	}{
		"a chunk of a newer version": {
			func(r *rig, chunk string) { r.must(r.rdb.SetRange(r.Context(), chunk, 1, "3").Err()) }, false, true,
		},
		"a chunk that is cut off": {
			func(r *rig, chunk string) {
				raw, err := r.rdb.Get(r.Context(), chunk).Result()
				r.must(err)
				r.must(r.rdb.Set(r.Context(), chunk, raw[:len(raw)-3], 0).Err())
			}, true, false,
		},
		"a chunk with variables, which a later version writes": {
			func(r *rig, chunk string) {
				c, err := wire.DecodeChunk(r.rdb.Get(r.Context(), chunk).Val())
				r.must(err)
				c.Entries[0].Vars = []wire.Var{{Name: "name", Values: []string{"Li"}}}
				raw, err := c.Encode()
				r.must(err)
				r.must(r.rdb.Set(r.Context(), chunk, raw, 0).Err())
			}, false, true,
		},
		"a value that is not a chunk": {
			func(r *rig, chunk string) { r.must(r.rdb.Set(r.Context(), chunk, "{}", 0).Err()) }, true, false,
		},
		"a chunk whose message is gone": {
			func(r *rig, _ string) { r.must(r.rdb.Del(r.Context(), wire.MessageKey("a")).Err()) }, true, false,
		},
		"a chunk of another type": {
			func(r *rig, chunk string) {
				r.must(r.rdb.Del(r.Context(), chunk).Err())
				r.must(r.rdb.SAdd(r.Context(), chunk, "x").Err())
			}, false, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.stream(job("a", "secret-token-1", "secret-token-2"))
			h := r.headers()[0]
			c.change(r, wire.ChunkKey(h.Chunk))
			o, err := r.book.Load(t.Context(), h)
			if o != nil || err == nil {
				t.Fatalf("got %+v, %v, want an error", o, err)
			}
			var corrupt *ledger.CorruptError
			if got := errors.As(err, &corrupt); got != c.corrupt {
				t.Errorf("%v is a CorruptError: %v, want %v", err, got, c.corrupt)
			}
			if got := errors.Is(err, wire.ErrNewer); got != c.newer {
				t.Errorf("%v is ErrNewer: %v, want %v", err, got, c.newer)
			}
			if !strings.Contains(err.Error(), h.Chunk) || strings.Contains(err.Error(), "secret") {
				t.Errorf("the error %q must name the chunk and no token", err)
			}
		})
	}
}

// failing answers commands about one key with an error, as a connection that
// breaks in the middle of a pipeline does.
type failing struct{ key string }

func (f failing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		_ = next(ctx, cmds)
		var first error // is what a pipeline answers
		for _, c := range cmds {
			if c.Args()[1] == f.key {
				c.SetErr(errBroken)
			}
			first = cmp.Or(first, c.Err())
		}
		return first
	}
}

func (f failing) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (f failing) DialHook(next redis.DialHook) redis.DialHook          { return next }

var errBroken = errors.New("connection broke")

// Sending to a canceled job because its ledger could not be read would be wrong.
func TestLoadFailsWhenOnlyTheLedgerCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, jobs := range map[string][]push.Job{
		"of a single job":               {job("a", "t1")},
		"of a job of several tokens":    {job("a", "t1", "t2")},
		"of one of two jobs in a chunk": {job("gone", "t2"), job("a", "t1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.enqueue(jobs...)
			r.must(r.rdb.Del(t.Context(), wire.JobKey("gone")).Err()) // its answer is redis.Nil
			h := r.headers()[0]
			r.rdb.AddHook(failing{key: wire.JobKey("a")})
			if o, err := r.book.Load(t.Context(), h); !errors.Is(err, errBroken) {
				t.Errorf("got %+v, %v, want the error %v", o, err, errBroken)
			}
		})
	}
}
