package dispatch_test

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestMain(m *testing.M) {
	redistest.Main(m)
}

// table is the code table of a vendor whose codes are named after their remedies.
const table = `level	code	class	remedy	scope	tries	action	bucket	window	meaning	source
response	ok	success	none	batch	-	-	-	-	accepted	-
response	drop	permanent	drop-batch	batch	-	-	-	-	the message is wrong	-
response	split	permanent	split	batch	-	-	-	-	too many tokens	-
response	busy	retryable	backoff	batch	-	-	-	-	internal error	-
response	slow	retryable	slow-down	app	-	-	-	-	too fast	-
response	quota	permanent	wait-quota	batch	-	-	-	-	the day's messages are used up	-
response	night	retryable	wait-quota	app	-	-	news	07:00	not at night	-
token	full	retryable	wait-quota	token	-	-	channel	week	the channel's messages are used up	-
response	expired	retryable	refresh-auth	app	-	-	-	-	the access token has expired	-
response	rights	permanent	config	app	-	-	-	-	the app may not send	-
token	gone	token-invalid	drop-token	token	-	delete	-	-	the token is dead	-
token	off	token-invalid	drop-token	token	-	suppress	-	-	switched off	-
token	region	permanent	drop-token	token	-	suppress	-	-	not served	-
token	busy	retryable	backoff	token	-	-	-	-	try later	-
auth	denied	permanent	config	app	-	-	-	-	wrong secret	-
auth	flow	retryable	slow-down	app	-	-	-	-	too many grants	-
auth	wrong	permanent	drop-batch	batch	-	-	-	-	a parameter is wrong	-
`

// clock is a clock that the test moves forward.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// task is one asynq task.
type task struct {
	lane string
	queue.Task
}

// rig is a dispatcher on the real ledger, with a vendor and a gate that do what
// the test says.
type rig struct {
	*testing.T
	rdb    *redis.Client
	clock  *clock
	client *push.Client
	book   *ledger.Store
	vendor *vendor
	gate   *gate
	meter  *meter
	cfg    dispatch.Config
	acct   account.Account
	d      *dispatch.Dispatcher
}

// newRig returns a rig. change may alter configuration and account before it starts.
func newRig(t *testing.T, change ...func(*rig)) *rig {
	t.Helper()
	r := &rig{T: t, rdb: redistest.Client(t), clock: &clock{at: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}, vendor: &vendor{}, meter: newMeter()}
	r.gate = &gate{}
	r.book = &ledger.Store{Redis: r.rdb, Now: r.clock.now}
	r.acct = account.Account{
		App: "shop", Vendor: r.vendor, Codes: classify.MustParse("nova", table), Batch: 100, Timeout: 10 * time.Second,
		Spec: vendors.Spec{Name: "nova", Batch: 100, Unit: vendors.Tokens},
	}
	r.cfg = dispatch.Config{
		Book: r.book, Gate: r.gate, Meter: r.meter, Policy: retry.Policy{Attempts: 3, First: time.Second, Max: time.Minute},
		Requests: 8, Log: zerolog.Nop(), Now: r.clock.now,
		Account: func(app, vendor string) (*account.Account, bool) { return &r.acct, app == "shop" && vendor == "nova" },
	}
	for _, f := range change {
		f(r)
	}
	var err error
	r.client, err = push.NewClient(r.rdb, push.Options{Vendors: []push.Vendor{{Name: "nova", Batch: r.acct.Batch}}, Now: r.clock.now})
	r.must(err)
	r.d = dispatch.New(r.cfg)
	return r
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
		Targets: map[string][]string{"nova": tokens},
	}
}

// separate enqueues jobs with a chunk for each, and returns the tasks.
func (r *rig) separate(jobs ...push.Job) []task {
	r.Helper()
	for _, j := range jobs {
		_, err := r.client.Enqueue(r.Context(), j)
		r.must(err)
	}
	return r.tasks()
}

// packed enqueues jobs so that they share chunks.
func (r *rig) packed(jobs ...push.Job) []task {
	r.Helper()
	for _, o := range r.client.EnqueueMany(r.Context(), jobs) {
		r.must(o.Err)
	}
	return r.tasks()
}

// tasks takes all tasks off their lanes, the oldest first.
func (r *rig) tasks() []task {
	r.Helper()
	var all []task
	for _, p := range push.Priorities() {
		lane := wire.Lane("nova", string(p))
		for _, id := range slices.Backward(r.rdb.LRange(r.Context(), wire.PendingKey(lane), 0, -1).Val()) {
			raw, err := r.rdb.HGet(r.Context(), wire.TaskKey(lane, id), "msg").Result()
			r.must(err)
			all = append(all, task{lane, queue.Task{ID: id, Payload: payload(raw)}})
		}
		r.must(r.rdb.Del(r.Context(), wire.PendingKey(lane)).Err())
	}
	return all
}

// payload is field 2 of asynq's TaskMessage.
func payload(msg string) []byte {
	b := []byte(msg)
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		b = b[n:]
		if field == 2 && kind == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(b)
			return v
		}
		b = b[protowire.ConsumeFieldValue(field, kind, b):]
	}
	return nil
}

func (r *rig) handle(t task) error { return r.d.Handle(r.Context(), t.lane, t.Task) }

// again runs a task that must be put back, and returns how.
func (r *rig) again(t task) *queue.AgainError {
	r.Helper()
	return r.mustAgain(r.handle(t))
}

func (r *rig) mustAgain(err error) *queue.AgainError {
	r.Helper()
	again, ok := err.(*queue.AgainError) //nolint:errorlint // the handler's own answer, not a wrapped one
	if !ok {
		r.Fatalf("the task ended with %v, want it put back", err)
	}
	return again
}

// finish runs the tasks again and again, at the times that they ask for, until
// each is acknowledged or archived.
func (r *rig) finish(tasks ...task) {
	r.Helper()
	for round := 0; len(tasks) > 0; round++ {
		if round == 100 {
			r.Fatalf("%d tasks do not end", len(tasks))
		}
		left := tasks[:0:0]
		for _, t := range tasks {
			err := r.handle(t)
			if again, ok := err.(*queue.AgainError); ok { //nolint:errorlint // as above
				r.clock.forward(max(0, again.At.Sub(r.clock.now())))
				left = append(left, t)
			} else if _, dead := err.(*queue.DeadError); err != nil && !dead { //nolint:errorlint // as above
				r.Fatal(err)
			}
		}
		tasks = left
	}
}

// want checks a job's ledger: outcomes that are not named are zero.
func (r *rig) want(id string, outcomes map[wire.Outcome]int) ledger.Status {
	r.Helper()
	st, err := r.book.Status(r.Context(), id)
	r.must(err)
	sum := 0
	for _, o := range append(wire.Outcomes(), wire.Pending) {
		sum += st.Count(o)
		if got := st.Count(o); got != outcomes[o] {
			r.Errorf("job %s: %s is %d, want %d", id, o, got, outcomes[o])
		}
	}
	if sum != st.Accepted {
		r.Errorf("job %s does not balance: %+v", id, st)
	}
	return st
}

func (r *rig) wantCodes(id string, want map[string]int) {
	r.Helper()
	st, err := r.book.Status(r.Context(), id)
	r.must(err)
	if !maps.Equal(st.Codes, want) {
		r.Errorf("job %s: codes are %v, want %v", id, st.Codes, want)
	}
}

// entries are a stream's, with the named fields only, joined by "|".
func (r *rig) entries(stream string, fields ...string) []string {
	r.Helper()
	all, err := r.rdb.XRange(r.Context(), stream, "-", "+").Result()
	r.must(err)
	out := make([]string, len(all))
	for i, e := range all {
		words := make([]string, len(fields))
		for j, f := range fields {
			words[j], _ = e.Values[f].(string)
		}
		out[i] = strings.Join(words, "|")
	}
	return out
}

func (r *rig) wantEntries(stream string, fields []string, want ...string) {
	r.Helper()
	if got := r.entries(stream, fields...); !slices.Equal(got, want) {
		r.Errorf("%s has %q, want %q", stream, got, want)
	}
}

// from receives within 20 s.
func from[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	select {
	case v := <-c:
		return v
	case <-limit.C:
		t.Fatal("not within 20 s: " + what)
		panic("unreachable")
	}
}

func sorted[T cmp.Ordered](s []T) []T {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}
