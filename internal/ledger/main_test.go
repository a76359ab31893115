package ledger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// success and gone are codes as a ledger has them.
const (
	success = "huawei/response/80000000"
	gone    = "huawei/response/80300007"
	broken  = "huawei/http/503"
)

// rig is a Redis of the test's own, a book on it and a client that enqueues
// chunks of at most four tokens.
type rig struct {
	*testing.T
	rdb    *redis.Client
	book   *ledger.Store
	client *push.Client
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return rigOn(t, redistest.Client(t), 0)
}

func rigOn(t *testing.T, rdb *redis.Client, window time.Duration) *rig {
	t.Helper()
	c, err := push.NewClient(rdb, push.Options{Vendors: []push.Vendor{{Name: "huawei", Batch: 4}}, DedupWindow: window})
	if err != nil {
		t.Fatal(err)
	}
	return &rig{T: t, rdb: rdb, book: &ledger.Store{Redis: rdb}, client: c}
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func job(id string, tokens ...string) push.Job {
	return push.Job{
		ID: id, App: "shop", Message: push.Message{Title: "Shipped", Body: "Your order is on its way"},
		Targets: map[string][]string{"huawei": tokens},
	}
}

// enqueue enqueues jobs in one go: small ones share chunks.
func (r *rig) enqueue(jobs ...push.Job) {
	r.Helper()
	for _, o := range r.client.EnqueueMany(r.Context(), jobs) {
		r.must(o.Err)
	}
}

// stream enqueues one job by the way of large ones: its message lies apart.
func (r *rig) stream(j push.Job) {
	r.Helper()
	tokens := j.Targets["huawei"]
	j.Targets = nil
	s, err := r.client.Open(j)
	r.must(err)
	for i, t := range tokens {
		r.must(s.Add(r.Context(), i+1, "huawei", []byte(t)))
	}
	_, err = s.Commit(r.Context())
	r.must(err)
}

// headers are those of all chunks in Redis.
func (r *rig) headers() []wire.Header {
	r.Helper()
	keys, err := r.rdb.Keys(r.Context(), wire.ChunkKey("*")).Result()
	r.must(err)
	all := make([]wire.Header, 0, len(keys))
	for _, k := range keys {
		h := wire.Header{Version: 1, App: "shop", Chunk: strings.TrimPrefix(k, wire.ChunkKey(""))}
		if job, rest, _ := strings.Cut(strings.TrimPrefix(h.Chunk, "{"), "}"); rest != "" {
			h.Job = job
		}
		all = append(all, h)
	}
	return all
}

// load loads the only chunk.
func (r *rig) load() *ledger.Open {
	r.Helper()
	all := r.headers()
	if len(all) != 1 {
		r.Fatalf("%d chunks in Redis, want 1", len(all))
	}
	return r.open(all[0])
}

func (r *rig) open(h wire.Header) *ledger.Open {
	r.Helper()
	o, err := r.book.Load(r.Context(), h)
	r.must(err)
	if o == nil {
		r.Fatalf("chunk %s: nothing is left of it", h.Chunk)
	}
	return o
}

// step gives the chunk's tokens their outcomes, in order over all entries, each
// with the code; Pending leaves one, with an answer all the same.
func step(o *ledger.Open, code string, ends ...wire.Outcome) *ledger.Step {
	c := o.Chunk
	s := &ledger.Step{Ref: o.Ref, Cap: c.Cap, Offset: c.StatesOffset(), Done: true}
	s.Follow(c.Gen)
	i := 0
	for _, e := range c.Entries {
		j := ledger.JobStep{Job: e.Job, Single: e.Single, Outcomes: map[wire.Outcome]int{}, Codes: map[string]int{}}
		for range e.Tokens {
			if c.States[i] != wire.Resolved {
				j.Codes[code]++
				c.States[i]++
				if ends[i] != wire.Pending {
					j.Outcomes[ends[i]]++
					c.States[i] = wire.Resolved
				}
			}
			s.Done = s.Done && c.States[i] == wire.Resolved
			i++
		}
		s.Jobs = append(s.Jobs, j)
	}
	s.States = append(s.States, c.States...)
	return s
}

// settle records the steps and answers what became of each.
func (r *rig) settle(steps ...*ledger.Step) []bool {
	r.Helper()
	ok, err := r.book.Settle(r.Context(), steps)
	r.must(err)
	if len(ok) != len(steps) {
		r.Fatalf("%d answers to %d steps", len(ok), len(steps))
	}
	return ok
}

// status reads a ledger and checks that it balances.
func (r *rig) status(id string) ledger.Status {
	r.Helper()
	st, err := r.book.Status(r.Context(), id)
	r.must(err)
	sum := st.Pending
	for _, o := range wire.Outcomes() {
		if st.Count(o) < 0 {
			r.Errorf("job %s: %s is %d", id, o, st.Count(o))
		}
		sum += st.Count(o)
	}
	if sum != st.Accepted || st.Pending < 0 {
		r.Errorf("job %s does not balance: %+v", id, st)
	}
	return st
}

// exists reports whether a key is there.
func (r *rig) exists(key string) bool {
	r.Helper()
	n, err := r.rdb.Exists(r.Context(), key).Result()
	r.must(err)
	return n == 1
}

// dump is everything that lies in the database, but not how long it stays.
func (r *rig) dump() map[string]string {
	r.Helper()
	keys, err := r.rdb.Keys(r.Context(), "*").Result()
	r.must(err)
	all := map[string]string{}
	for _, k := range keys {
		all[k], err = r.rdb.Dump(r.Context(), k).Result()
		r.must(err)
	}
	return all
}
