package deadletter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/deadletter"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestMain(m *testing.M) { redistest.Main(m) }

const (
	lane = "huawei:normal"
	busy = "huawei/response/81000001"
)

// rig is a Redis of the test's own with everything that makes dead letters.
type rig struct {
	*testing.T
	rdb    *redis.Client
	book   *ledger.Store
	client *push.Client
	store  *deadletter.Store
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return rigOn(t, redistest.Client(t))
}

func rigOn(t *testing.T, rdb *redis.Client) *rig {
	t.Helper()
	c, err := push.NewClient(rdb, push.Options{Vendors: []push.Vendor{{Name: "huawei", Batch: 4}, {Name: "oppo", Batch: 4}}})
	if err != nil {
		t.Fatal(err)
	}
	return &rig{T: t, rdb: rdb, book: &ledger.Store{Redis: rdb}, client: c, store: &deadletter.Store{Redis: rdb}}
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

func numbered(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("t%05d", i)
	}
	return all
}

// send enqueues jobs, each by itself, and answers their tasks.
func (r *rig) send(jobs ...push.Job) []task {
	r.Helper()
	for _, j := range jobs {
		_, err := r.client.Enqueue(r.Context(), j)
		r.must(err)
	}
	return r.tasks()
}

// stream enqueues a job by the way of large ones: its message lies apart.
func (r *rig) stream(j push.Job) []task {
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
	return r.tasks()
}

// task is a task that was taken off its lane.
type task struct {
	lane, id string
	wire.Header
}

// tasks takes all tasks off all lanes, as a worker does.
func (r *rig) tasks() []task {
	r.Helper()
	var all []task
	lanes, err := r.rdb.SMembers(r.Context(), wire.AsynqQueues).Result()
	r.must(err)
	for _, lane := range lanes {
		for {
			id, err := r.rdb.RPop(r.Context(), wire.PendingKey(lane)).Result()
			if err == redis.Nil { //nolint:errorlint // the client's own value
				break
			}
			r.must(err)
			msg, err := r.rdb.HGet(r.Context(), wire.TaskKey(lane, id), "msg").Result()
			r.must(err)
			var raw json.RawMessage
			r.must(json.NewDecoder(strings.NewReader(msg[strings.Index(msg, `{"v"`):])).Decode(&raw))
			h, err := wire.DecodeHeader(raw)
			r.must(err)
			r.must(r.rdb.Del(r.Context(), wire.TaskKey(lane, id)).Err())
			all = append(all, task{lane, id, h})
		}
	}
	return all
}

// open loads the chunk of a task.
func (r *rig) open(t task) *ledger.Open {
	r.Helper()
	o, err := r.book.Load(r.Context(), t.Header)
	r.must(err)
	if o == nil {
		r.Fatalf("chunk %s: nothing is left of it", t.Chunk)
	}
	return o
}

// settle gives every token that is left in the tasks' chunks the outcome. Dead
// ones are written as the dispatcher writes them: a letter for each entry.
func (r *rig) settle(end wire.Outcome, tasks ...task) {
	r.Helper()
	for _, t := range tasks {
		o := r.open(t)
		s := &ledger.Step{Ref: o.Ref, Offset: o.Chunk.StatesOffset(), Done: true}
		s.Follow(o.Chunk.Gen)
		for range o.Chunk.States {
			s.States = append(s.States, wire.Resolved)
		}
		vendor, priority := wire.SplitLane(t.lane)
		for _, e := range o.Chunk.Entries {
			s.Jobs = append(s.Jobs, ledger.JobStep{
				Job: e.Job, Single: e.Single, Outcomes: map[wire.Outcome]int{end: len(e.Tokens)}, Codes: map[string]int{busy: len(e.Tokens)},
			})
			if end != wire.Dead {
				continue
			}
			letter := ledger.DeadLetter{
				App: t.App, Vendor: vendor, Job: e.Job, Code: busy, Reason: wire.DeadAttempts, Detail: "busy", Class: "retryable", Attempts: 8,
				Tokens: strings.Join(e.Tokens, "\n"), Message: o.Message, Priority: priority, Delivery: "at-least-once",
				Start: e.Start, Expires: e.Expires,
			}
			if e.Message >= 0 {
				letter.Message = o.Chunk.Messages[e.Message]
			}
			if e.AtMostOnce {
				letter.Delivery = "at-most-once"
			}
			s.Dead = append(s.Dead, letter)
		}
		ok, err := r.book.Settle(r.Context(), []*ledger.Step{s})
		r.must(err)
		if !ok[0] {
			r.Fatalf("the step of chunk %s was refused", t.Chunk)
		}
	}
}

func (r *rig) die(tasks ...task) {
	r.Helper()
	r.settle(wire.Dead, tasks...)
}

// all are the entries that the filter chooses.
func (r *rig) all(f wire.EntryFilter) []deadletter.Entry {
	r.Helper()
	var all []deadletter.Entry
	r.must(r.store.Each(r.Context(), f, func(e *deadletter.Entry) error {
		all = append(all, *e)
		return nil
	}))
	return all
}

// replay replays everything, of which nothing may stay.
func (r *rig) replay() deadletter.Sum {
	r.Helper()
	sum, left, err := r.store.Replay(r.Context(), wire.EntryFilter{}, time.Time{})
	r.must(err)
	if len(left) > 0 {
		r.Errorf("%v stay, want nothing", left)
	}
	return sum
}

// carried are the tokens of the tasks' chunks, each with how often.
func (r *rig) carried(tasks []task) map[string]int {
	r.Helper()
	all := map[string]int{}
	for _, t := range tasks {
		for _, e := range r.open(t).Chunk.Entries {
			for _, token := range e.Tokens {
				all[token]++
			}
		}
	}
	return all
}

// once checks that the tasks carry n tokens, each once.
func (r *rig) once(tasks []task, n int) {
	r.Helper()
	all := r.carried(tasks)
	if len(all) != n {
		r.Errorf("%d tokens are sent, want %d", len(all), n)
	}
	for token, times := range all {
		if times != 1 {
			r.Errorf("%s is sent %d times", token, times)
		}
	}
}

// want checks a job's ledger, and that it balances.
func (r *rig) want(id string, want ledger.Status) {
	r.Helper()
	got, err := r.book.Status(r.Context(), id)
	r.must(err)
	sum := got.Pending
	for _, o := range wire.Outcomes() {
		sum += got.Count(o)
	}
	if sum != got.Accepted {
		r.Errorf("job %s does not balance: %+v", id, got)
	}
	got.Job, got.App, got.Codes, want.Codes = "", "", nil, nil
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.Errorf("the ledger of %s is %+v, want %+v", id, got, want)
	}
}

// letter adds an entry by hand; fields replace or, where empty, take out.
func (r *rig) letter(fields map[string]string) string {
	r.Helper()
	all := map[string]string{
		"app": "shop", "vendor": "huawei", "job": "a", "code": busy, "v": "2", "reason": "attempts", "detail": "busy", "class": "retryable",
		"attempts": "8", "at": "2026-11-21T09:00:00.000Z", "tokens": "t1\nt2", "message": `{"title":"x","body":"y"}`,
		"priority": "normal", "delivery": "at-least-once", "start": "1763712000000", "expires": "1763715600000",
	}
	maps.Copy(all, fields)
	var values []string
	for k, v := range all {
		if v != "" {
			values = append(values, k, v)
		}
	}
	id, err := r.rdb.XAdd(context.Background(), &redis.XAddArgs{Stream: wire.DeadStream, Values: values}).Result()
	r.must(err)
	return id
}
