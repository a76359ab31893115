package worker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// proofSettings have every kind of vendor: plain batches, messages that are
// uploaded first, several messages in one request.
const proofSettings = `
redis: {url: %q}
http: {listen: "127.0.0.1:0"}
retry: {attempts: 4, first: 1ms, max: 2ms}
worker: {linger: 20ms}
apps:
  shop:
    huawei: {client_id: "100001", client_secret: demo-secret, base_url: "http://127.0.0.1:1", auth_url: "http://127.0.0.1:1/oauth2/v3/token", rate: 0}
    oppo: {app_key: "100001", master_secret: demo-secret, base_url: "http://127.0.0.1:1", rate: 0}
    vivo: {app_id: 100001, app_key: "100001", app_secret: demo-secret, base_url: "http://127.0.0.1:1", rate: 0}
    xiaomi: {app_secret: demo-secret, package_name: "100001", base_url: "http://127.0.0.1:1", rate: 0}
`

// scenario is a small amount of work.
type scenario struct {
	name   string
	faults []simulator.Fault
	jobs   []push.Job
	// together enqueues all jobs in one call, so that they share chunks.
	together bool
	// cancel is a job that is canceled when the first worker has crashed or finished.
	cancel string
	// repeats is how many additional requests the faults cause for each token,
	// without those that a crash causes.
	repeats int
}

func proofJob(id, vendor string, n int, change ...func(*push.Job)) push.Job {
	j := push.Job{ID: id, App: "shop", Message: push.Message{Title: "Shipped", Body: "Your order is on its way"}}
	var tokens []string
	for i := range n {
		tokens = append(tokens, fmt.Sprintf("%s-%s-token-%d", id, vendor, i))
	}
	j.Targets = map[string][]string{vendor: tokens}
	for _, c := range change {
		c(&j)
	}
	return j
}

func marketing(j *push.Job)  { j.Message.Class = push.Marketing }
func atMostOnce(j *push.Job) { j.Delivery = push.AtMostOnce }
func titled(title string) func(*push.Job) {
	return func(j *push.Job) { j.Message.Title = title }
}

// withBad makes every second token invalid.
func withBad(j *push.Job) {
	for _, tokens := range j.Targets {
		for i := range tokens {
			if i%2 == 1 {
				tokens[i] = "bad-" + tokens[i]
			}
		}
	}
}

func singles(vendor string, n int, change ...func(*push.Job)) []push.Job {
	var all []push.Job
	for i := range n {
		all = append(all, proofJob(fmt.Sprintf("single-%d", i), vendor, 1, change...))
	}
	return all
}

// scenarios cover everything that a worker does, each once.
func scenarios() []scenario {
	busy := simulator.Fault{Vendor: "huawei", Endpoint: "send", Code: "81000001", Times: 1}
	tooMany := simulator.Fault{Vendor: "huawei", Endpoint: "send", Code: "80300010", Times: 1}
	different := []push.Job{proofJob("one", "xiaomi", 1, titled("first")), proofJob("two", "xiaomi", 1, titled("second")), proofJob("three", "xiaomi", 1, titled("third"))}
	return []scenario{
		{name: "a batch with bad tokens", jobs: []push.Job{proofJob("part", "huawei", 6, withBad)}},
		{name: "a batch that is busy first", faults: []simulator.Fault{busy}, jobs: []push.Job{proofJob("busy", "huawei", 4)}, repeats: 1},
		{name: "a batch that is halved", faults: []simulator.Fault{tooMany}, jobs: []push.Job{proofJob("halved", "huawei", 4)}, repeats: 1},
		{name: "at most once", jobs: []push.Job{proofJob("once", "huawei", 4, atMostOnce)}},
		{name: "a packed chunk of one message", jobs: singles("huawei", 5), together: true},
		{name: "a packed chunk, at most once", jobs: singles("huawei", 3, atMostOnce), together: true},
		{name: "small jobs that share a request", jobs: singles("huawei", 4)},
		{name: "different messages in one request", jobs: different, together: true},
		{name: "different messages that join", jobs: different},
		{name: "an uploaded message, vivo", jobs: []push.Job{proofJob("list", "vivo", 3)}},
		{name: "an uploaded message, OPPO", jobs: []push.Job{proofJob("broadcast", "oppo", 3, marketing)}},
		{name: "single messages to OPPO", jobs: singles("oppo", 3), together: true},
		{name: "a job that is canceled", jobs: append(singles("huawei", 2), proofJob("batch", "huawei", 3)), together: true, cancel: "batch"},
		{name: "nearly all are invalid", jobs: []push.Job{proofJob("wrong", "huawei", 30, func(j *push.Job) {
			for i, t := range j.Targets["huawei"] {
				j.Targets["huawei"][i] = "bad-" + t
			}
		})}},
	}
}

// TestAWorkerMayDieAnywhere counts the operations of a worker in each scenario, and
// crashes it at each of them: before it, in the middle of a pipeline, and after it
// was applied but before the reply arrived. A second worker then takes over, as
// after the reaper. Nothing may be lost, no token of an at-most-once job may be sent
// twice, and every repeated token must have the same idempotency key.
func TestAWorkerMayDieAnywhere(t *testing.T) {
	t.Parallel()
	points, again := 0, 0
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			p := newProof(t, s)
			p.run(t, crash{}) // loads the scripts
			clean := p.run(t, crash{})
			crashes := []crash{{clean.n + 1, acked}}
			for i := 1; i <= clean.n; i++ {
				crashes = append(crashes, crash{i, before}, crash{i, after})
				if slices.Contains(clean.pipes, i) {
					crashes = append(crashes, crash{i, halfway})
				}
			}
			repeated := 0
			for _, d := range crashes {
				repeated += p.run(t, d).repeated
			}
			t.Logf("%d operations, %d of them calls of a vendor; %d crashes, %d tokens sent again", clean.n, len(clean.calls), len(crashes), repeated)
			points, again = points+len(crashes), again+repeated
		})
	}
	if t.Failed() {
		return
	}
	t.Logf("crashes at %d points: 0 tokens lost, 0 at-most-once tokens sent twice, all %d repeats under the same key", points, again)
	t.Logf("proof crashes: points=%d repeats=%d", points, again)
}

// proof runs one scenario repeatedly, each time on an empty Redis.
type proof struct {
	scenario
	rdb *redis.Client
	cfg *config.Config
}

func newProof(t *testing.T, s scenario) *proof {
	t.Helper()
	p := &proof{scenario: s, rdb: redistest.Client(t)}
	var err error
	p.cfg, err = config.Parse("proof.yaml", fmt.Appendf(nil, proofSettings, redistest.URL(p.rdb)), registry.All(), config.Source{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// result is the result of one run.
type result struct {
	*crashHook
	repeated int // tokens that were in more than one request, of both workers
}

// laneTask is a task in a lane.
type laneTask struct {
	lane string
	queue.Task
}

func (p *proof) run(t *testing.T, d crash) result {
	t.Helper()
	ctx := t.Context()
	seen := newRequestLog()
	sim := simulator.New(simulator.Options{Watch: seen.note})
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("crash at %d, %s: %v", d.at, d.how, err)
		}
	}
	fatal(p.rdb.FlushDB(ctx).Err())
	fatal(sim.SetFaults(p.faults))
	p.enqueue(ctx, fatal)
	tasks := p.tasks(ctx, fatal)

	first := &crashHook{crash: d}
	left, _ := p.handle(ctx, fatal, sim, first, tasks, 1)
	if d.how == acked {
		left = tasks
	}
	if p.cancel != "" {
		_ = (&ledger.Store{Redis: p.rdb}).Cancel(ctx, p.cancel) // it may have ended
	}
	p.later(ctx, fatal)
	second, why := &crashHook{}, error(nil)
	for round := 0; len(left) > 0; round++ {
		if round == 40 {
			t.Fatalf("crash at %d, %s: %d tasks did not end: %v", d.at, d.how, len(left), why)
		}
		left, why = p.handle(ctx, fatal, sim, second, left, 0)
	}
	l := result{crashHook: first, repeated: p.verify(ctx, t, d, seen, fatal)}
	if d.at > 0 && d.how != acked && !first.died() && l.n < d.at-1 {
		t.Logf("crash at %d, %s: it was finished after %d operations", d.at, d.how, l.n)
	}
	return l
}

// takeover is how long it takes until a dead worker's tasks run again.
const takeover = 15 * time.Second

// later simulates the time until the second worker takes over: it deletes keys that
// expire within it, such as locks of the first worker.
func (p *proof) later(ctx context.Context, fatal func(error)) {
	keys, err := p.rdb.Keys(ctx, "*").Result()
	fatal(err)
	for _, key := range keys {
		left, err := p.rdb.PTTL(ctx, key).Result()
		fatal(err)
		if left > 0 && left <= takeover {
			fatal(p.rdb.Del(ctx, key).Err())
		}
	}
}

func (p *proof) enqueue(ctx context.Context, fatal func(error)) {
	client, err := push.NewClient(p.rdb, push.Options{Vendors: registry.ForClient(), Apps: p.cfg.ForClient()})
	fatal(err)
	groups := [][]push.Job{p.jobs}
	if !p.together {
		groups = slices.Collect(slices.Chunk(p.jobs, 1))
	}
	for _, jobs := range groups {
		for _, o := range client.EnqueueMany(ctx, jobs) {
			fatal(o.Err)
		}
	}
}

// tasks returns the tasks that wait in any lane.
func (p *proof) tasks(ctx context.Context, fatal func(error)) []laneTask {
	var all []laneTask
	lanes, err := p.rdb.SMembers(ctx, wire.AsynqQueues).Result()
	fatal(err)
	for _, lane := range lanes {
		ids, err := p.rdb.LRange(ctx, wire.PendingKey(lane), 0, -1).Result()
		fatal(err)
		for _, id := range ids {
			msg, err := p.rdb.HGet(ctx, wire.TaskKey(lane, id), "msg").Bytes()
			fatal(err)
			task, _, err := wire.DecodeTask(msg)
			fatal(err)
			all = append(all, laneTask{lane, queue.Task{ID: task.ID, Payload: task.Payload}})
		}
	}
	return all
}

// handle lets a new worker handle all tasks concurrently. It returns the tasks that
// the worker requeued, or all if it crashed. rounds is how often tasks are handled;
// 0: until none is requeued.
func (p *proof) handle(ctx context.Context, fatal func(error), sim *simulator.Simulator, m *crashHook, tasks []laneTask, rounds int) (left []laneTask, why error) {
	o := p.rdb.Options()
	w, err := assemble(ctx, Options{Config: p.cfg, Log: zerolog.Nop(), Redis: func(n int) redis.UniversalClient {
		c := redis.NewClient(&redis.Options{Addr: o.Addr, DB: o.DB, PoolSize: n})
		c.AddHook(m)
		return c
	}})
	fatal(err)
	defer w.rdb.Close()
	w.book.Together = nil // a crash would end its goroutine, not the caller's
	if sim != nil {       // nil: the worker calls the vendors over the network
		w.client.Transport = toVendors{m, sim}
	}
	m.begin()
	for range 20 {
		if rounds == 0 {
			for _, one := range tasks { // an earlier worker crashed with them or requeued them
				fatal(w.dispatch.Fence(ctx, one.Task, func(context.Context) (bool, error) { return true, nil }))
			}
		}
		if tasks, why = handleAll(ctx, w, m, tasks); len(tasks) == 0 || m.died() {
			break
		}
	}
	return tasks, why
}

// handleAll lets the worker handle all tasks concurrently and returns those that
// must be handled again.
func handleAll(ctx context.Context, w *Worker, m *crashHook, tasks []laneTask) (left []laneTask, why error) {
	results := make([]chan error, len(tasks))
	for i, one := range tasks {
		results[i] = make(chan error, 1)
		go func() {
			defer close(results[i])
			results[i] <- w.dispatch.Handle(ctx, one.lane, one.Task)
		}()
	}
	for i := range tasks {
		err, lived := <-results[i]
		_, dead := err.(*queue.DeadError) //nolint:errorlint // a lane compares the type too
		if !lived || err != nil && !dead {
			left, why = append(left, tasks[i]), err
		}
	}
	if m.died() {
		return tasks, nil // a crashed worker acknowledged no task
	}
	return left, why
}

// verify compares ledgers, feed and dead letters with what the vendors saw, and
// returns how many tokens were sent again.
func (p *proof) verify(ctx context.Context, t *testing.T, d crash, seen *requestLog, fatal func(error)) (repeated int) {
	t.Helper()
	wrong := func(format string, args ...any) {
		t.Helper()
		t.Errorf("crash at %d, %s: %s", d.at, d.how, fmt.Sprintf(format, args...))
	}
	dead, invalid := p.ended(ctx, wire.DeadStream, fatal), p.ended(ctx, wire.InvalidStream, fatal)
	maps.Copy(invalid, p.ended(ctx, wire.QuarantineStream, fatal))
	for _, j := range p.jobs {
		st, err := (&ledger.Store{Redis: p.rdb}).Status(ctx, j.ID)
		fatal(err)
		if !st.Ended() || st.Pending != 0 || st.Delivered+st.Invalid+st.Dropped+st.Expired+st.Dead+st.Canceled != st.Accepted {
			wrong("the ledger of %s does not balance: %+v", j.ID, st)
		}
		delivered, accepted := 0, 0
		for _, tokens := range j.Targets {
			for _, token := range tokens {
				requests := seen.of(token)
				if seen.accepted(token) > 0 {
					accepted++
				}
				if !dead[token] && !invalid[token] {
					delivered++
					if seen.accepted(token) == 0 && st.Canceled == 0 {
						wrong("%s is lost: it ended neither dead nor invalid, and no vendor accepted it", token)
					}
				}
				if j.Delivery == push.AtMostOnce && len(requests) > 1 {
					wrong("%s, at most once, was in %d requests", token, len(requests))
				}
				if len(requests) > 1+p.repeats+1 {
					wrong("%s was in %d requests: a crash may add one", token, len(requests))
				}
				if n := len(slices.Compact(slices.Sorted(slices.Values(requests)))); n > 1 {
					wrong("%s was sent under %d keys: %q", token, n, requests)
				}
				if len(requests) > 1+p.repeats {
					repeated++
				}
			}
		}
		if st.Canceled == 0 && st.Delivered != delivered {
			wrong("%s says %d delivered, want %d", j.ID, st.Delivered, delivered)
		}
		if st.Delivered > accepted {
			wrong("%s says %d delivered, and vendors accepted %d", j.ID, st.Delivered, accepted)
		}
	}
	for _, pattern := range []string{"postrider:chunk:*", "postrider:open:*"} {
		left, err := p.rdb.Keys(ctx, pattern).Result()
		fatal(err)
		if len(left) > 0 {
			wrong("keys are left: %q", left)
		}
	}
	return repeated
}

// ended returns the tokens of a stream's entries. No token may occur twice.
func (p *proof) ended(ctx context.Context, stream string, fatal func(error)) map[string]bool {
	entries, err := p.rdb.XRange(ctx, stream, "-", "+").Result()
	fatal(err)
	tokens := map[string]bool{}
	for _, e := range entries {
		for _, field := range []string{"token", "tokens"} {
			text, _ := e.Values[field].(string)
			for token := range strings.FieldsSeq(text) {
				if tokens[token] {
					fatal(fmt.Errorf("%s has %s twice", stream, token))
				}
				tokens[token] = true
			}
		}
	}
	return tokens
}
