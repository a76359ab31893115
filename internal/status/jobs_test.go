package status_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/status"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

const lane = "nova:normal"

// rig has a producer of jobs, and a finder that searches for lost work as in a worker.
type rig struct {
	*testing.T
	rdb    *redis.Client
	now    time.Time
	client *push.Client
	book   *ledger.Store
	keeper *status.Keeper
	finder *queue.Finder
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, rdb: redistest.Client(t), now: time.Now()}
	clock := func() time.Time { return r.now }
	var err error
	r.client, err = push.NewClient(r.rdb, push.Options{Vendors: []push.Vendor{{Name: "nova", Batch: 100}}, Now: clock})
	r.must(err)
	r.book = &ledger.Store{Redis: r.rdb, Now: clock}
	r.keeper = &status.Keeper{Redis: r.rdb, Book: r.book, Log: zerolog.Nop()}
	r.finder = &queue.Finder{
		Redis: r.rdb, Lanes: []string{lane}, Log: zerolog.Nop(), Passed: r.keeper.Passed,
		Lost: func(context.Context, string, queue.Lost) (*wire.Task, error) { return nil, wire.ErrNewer }, // nothing is changed
		End:  func(context.Context, string, queue.Lost) error { return nil },
	}
	return r
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// enqueue enqueues jobs in one call, a second after the previous call.
func (r *rig) enqueue(tokens int, app string, ids ...string) {
	r.Helper()
	r.now = r.now.Add(time.Second)
	var all []push.Job
	for _, id := range ids {
		j := push.Job{ID: id, App: app, Message: push.Message{Title: "Shipped", Body: "On its way"}, Targets: map[string][]string{}}
		for i := range tokens {
			j.Targets["nova"] = append(j.Targets["nova"], fmt.Sprintf("%s-%d", id, i))
		}
		all = append(all, j)
	}
	for _, o := range r.client.EnqueueMany(r.Context(), all) {
		r.must(o.Err)
	}
}

// end ends a job of several tokens, as a worker does.
func (r *rig) end(id string) {
	r.Helper()
	key := wire.JobKey(id)
	n, err := r.rdb.HGet(r.Context(), key, wire.FieldAccepted).Int()
	r.must(err)
	r.must(r.rdb.HSet(r.Context(), key, "delivered", n, "state", "done", "ended", r.now.Unix()).Err())
	for _, m := range r.rdb.ZRange(r.Context(), wire.OpenKey(lane), 0, -1).Val() {
		if strings.Contains(m, "{"+id+"}") {
			r.must(r.rdb.ZRem(r.Context(), wire.OpenKey(lane), m).Err())
		}
	}
}

// loseTasks deletes the tasks whose ids have this prefix.
func (r *rig) loseTasks(prefix string) {
	r.Helper()
	for _, id := range r.rdb.LRange(r.Context(), wire.PendingKey(lane), 0, -1).Val() {
		if strings.HasPrefix(id, prefix) {
			r.must(r.rdb.Del(r.Context(), wire.TaskKey(lane, id)).Err())
		}
	}
}

func (r *rig) list(f status.JobFilter) string {
	r.Helper()
	if f.Limit == 0 {
		f.Limit = 100
	}
	all, err := (&status.JobReader{Redis: r.rdb}).List(r.Context(), f)
	r.must(err)
	var names []string
	for _, j := range all {
		if j.Stuck {
			j.Job += "!"
		}
		names = append(names, j.Job)
	}
	return strings.Join(names, " ")
}

func (r *rig) wantCount(open, stuck string) {
	r.Helper()
	got := r.rdb.HGetAll(r.Context(), wire.OpenCountKey).Val()
	if got["open"] != open || got["stuck"] != stuck {
		r.Errorf("the counts are %v, want %s open and %s stuck", got, open, stuck)
	}
}

func TestJobsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue(2, "shop", "first")
	r.enqueue(1, "shop", "single")
	r.enqueue(1, "mini", "other")
	r.enqueue(2500, "shop", "large")
	r.enqueue(1, "shop", "packed-1", "packed-2")
	r.enqueue(2, "shop", "packed-3", "packed-4")
	r.enqueue(3, "shop", "ended")
	r.end("ended")
	r.end("first")
	r.must(r.book.Cancel(t.Context(), "single"))
	for name, c := range map[string]struct {
		filter status.JobFilter
		want   string
	}{
		"all":            {status.JobFilter{}, "ended packed-3 packed-4 packed-1 packed-2 large other single first"},
		"some":           {status.JobFilter{Limit: 3}, "ended packed-3 packed-4"},
		"of an app":      {status.JobFilter{App: "mini"}, "other"},
		"done":           {status.JobFilter{State: "done"}, "ended first"},
		"canceled":       {status.JobFilter{State: "canceled"}, "single"},
		"running":        {status.JobFilter{State: "running", Limit: 4}, "packed-3 packed-4 packed-1 packed-2"},
		"stuck":          {status.JobFilter{Stuck: true}, ""},
		"done of an app": {status.JobFilter{State: "done", App: "mini"}, ""},
	} {
		if got := r.list(c.filter); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	before := r.list(status.JobFilter{})
	r.must(r.finder.Look(t.Context())) // moves ended jobs
	if n := r.rdb.ZCard(t.Context(), wire.EndedJobsKey).Val(); n != 2 {
		t.Errorf("%d jobs are listed as ended, want 2", n)
	}
	if got := r.list(status.JobFilter{}); got != before {
		t.Errorf("got %q, want the same as before: %q", got, before)
	}
	r.wantCount("7", "0")
}

func TestJobsWithoutATaskAreStuck(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue(2500, "shop", "large")
	r.enqueue(2, "shop", "small")
	r.enqueue(1, "shop", "single")
	r.enqueue(1, "shop", "packed-1", "packed-2")
	r.loseTasks("large.7") // the job's other tasks are there
	r.loseTasks("s")
	if got, want := r.list(status.JobFilter{Stuck: true}), "small! single!"; got != want { // the time of a job of one token is unknown without its task
		t.Errorf("got %q, want %q", got, want)
	}
	r.loseTasks("2 jobs")
	if got, want := r.list(status.JobFilter{}), "small! large packed-1! packed-2! single!"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	r.must(r.finder.Look(t.Context()))
	r.wantCount("5", "5") // large has a chunk without a task, which this finder does not repair
}

func TestEndedJobsAreForgottenWithTheirLedgers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enqueue(2, "shop", "a")
	r.enqueue(2, "shop", "b")
	r.end("a")
	r.end("b")
	r.must(r.finder.Look(t.Context()))
	r.must(r.rdb.Del(t.Context(), wire.JobKey("a")).Err())
	if got := r.list(status.JobFilter{}); got != "b" {
		t.Errorf("got %q, want b", got)
	}
	r.must(r.finder.Look(t.Context()))
	if got := r.rdb.ZRange(t.Context(), wire.EndedJobsKey, 0, -1).Val(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("%q are listed, want b", got)
	}
}

// Tokens that are in no chunk end, but only if two passes over all open work agree,
// and both could read all of it.
func TestTokensInNoChunkEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(r *rig)
		dead   int
	}{
		"lost":                                {func(r *rig) { r.must(r.rdb.Del(r.Context(), wire.OpenKey(lane)).Err()) }, 2500},
		"not lost":                            {func(*rig) {}, 0},
		"a newer version wrote the index":     {func(r *rig) { r.index("of a newer version") }, 0},
		"a shared chunk's jobs are not known": {func(r *rig) { r.index("task\t{pack}\tshop\t7") }, 0},
		"it is still being enqueued": {func(r *rig) {
			r.must(r.rdb.Del(r.Context(), wire.OpenKey(lane)).Err())
			r.must(r.rdb.HSet(r.Context(), wire.JobKey("large"), "digest", "x").Err())
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.enqueue(2500, "shop", "large")
			c.change(r)
			r.must(r.finder.Look(t.Context()))
			if st, err := r.book.Status(t.Context(), "large"); err != nil || st.Dead != 0 {
				t.Errorf("after one pass: %+v, %v, want nothing dead", st, err)
			}
			r.must(r.finder.Look(t.Context()))
			st, err := r.book.Status(t.Context(), "large")
			r.must(err)
			if st.Dead != c.dead || st.Pending != 2500-c.dead || st.Codes["unknown/task/lost-task"] != c.dead {
				t.Errorf("got %+v, want %d dead", st, c.dead)
			}
		})
	}
}

// index replaces the index of open work with one member.
func (r *rig) index(member string) {
	r.Helper()
	r.must(r.rdb.Del(r.Context(), wire.OpenKey(lane)).Err())
	r.must(r.rdb.ZAdd(r.Context(), wire.OpenKey(lane), redis.Z{Score: float64(r.now.Add(time.Hour).Unix()), Member: member}).Err())
}
