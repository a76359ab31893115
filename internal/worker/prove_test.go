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
// stored first, several messages in one request.
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

// scenario is a small amount of work, and what has to come of it.
type scenario struct {
	name   string
	faults []simulator.Fault
	jobs   []push.Job
	// together enqueues all jobs in one step, so that they share chunks.
	together bool
	// cancel names a job that is canceled once the first worker is dead, or done.
	cancel string
	// repeats is how many requests each token may be in besides those of a death:
	// what the faults ask for.
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

// withBad makes every other token one that the vendors call invalid.
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

// scenarios are what a worker does, each once.
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
		{name: "a message that is stored first, vivo", jobs: []push.Job{proofJob("list", "vivo", 3)}},
		{name: "a message that is stored first, OPPO", jobs: []push.Job{proofJob("broadcast", "oppo", 3, marketing)}},
		{name: "single messages to OPPO", jobs: singles("oppo", 3), together: true},
		{name: "a job that is canceled", jobs: append(singles("huawei", 2), proofJob("batch", "huawei", 3)), together: true, cancel: "batch"},
		{name: "nearly all are invalid", jobs: []push.Job{proofJob("wrong", "huawei", 30, func(j *push.Job) {
			for i, t := range j.Targets["huawei"] {
				j.Targets["huawei"][i] = "bad-" + t
			}
		})}},
	}
}

// TestAWorkerMayDieAnywhere counts the operations of a worker in each scenario,
// and lets it die at each of them: before it, halfway through it where it is
// several commands, and after it was applied but before its answer came. A
// second worker then takes over as the reaper has it. Nothing may be lost,
// nothing of an at-most-once job sent twice, and whatever is sent again carries
// the same idempotency key.
func TestAWorkerMayDieAnywhere(t *testing.T) {
	t.Parallel()
	points, again := 0, 0
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			p := newProof(t, s)
			p.run(t, death{}) // loads the scripts
			clean := p.run(t, death{})
			deaths := []death{{clean.n + 1, acked}}
			for i := 1; i <= clean.n; i++ {
				deaths = append(deaths, death{i, before}, death{i, after})
				if slices.Contains(clean.pipes, i) {
					deaths = append(deaths, death{i, halfway})
				}
			}
			repeated := 0
			for _, d := range deaths {
				repeated += p.run(t, d).repeated
			}
			t.Logf("%d operations, %d of them calls of a vendor; %d deaths, %d tokens sent again", clean.n, len(clean.calls), len(deaths), repeated)
			points, again = points+len(deaths), again+repeated
		})
	}
	if t.Failed() {
		return
	}
	t.Logf("each of %d points at which a worker dies, with the answer lost or not: 0 lost, 0 twice for at-most-once, "+
		"every one of %d repeats under the same key", points, again)
	t.Logf("proof deaths: points=%d repeats=%d", points, again)
}

// proof runs one scenario again and again on one empty Redis.
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

// life is what one worker did.
type life struct {
	*mortal
	repeated int // tokens that were in more than one request, over both workers
}

// errand is a task as a lane would hand it out.
type errand struct {
	lane string
	queue.Task
}

func (p *proof) run(t *testing.T, d death) life {
	t.Helper()
	ctx := t.Context()
	seen := newSightings()
	sim := simulator.New(simulator.Options{Watch: seen.note})
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("dies at %d, %s: %v", d.at, d.how, err)
		}
	}
	fatal(p.rdb.FlushDB(ctx).Err())
	fatal(sim.SetFaults(p.faults))
	p.enqueue(ctx, fatal)
	tasks := p.tasks(ctx, fatal)

	first := &mortal{death: d}
	left, _ := p.work(ctx, fatal, sim, first, tasks, 1)
	if d.how == acked {
		left = tasks
	}
	if p.cancel != "" {
		_ = (&ledger.Store{Redis: p.rdb}).Cancel(ctx, p.cancel) // it may be finished
	}
	p.later(ctx, fatal)
	second, why := &mortal{}, error(nil)
	for round := 0; len(left) > 0; round++ {
		if round == 40 {
			t.Fatalf("dies at %d, %s: %d tasks do not end: %v", d.at, d.how, len(left), why)
		}
		left, why = p.work(ctx, fatal, sim, second, left, 0)
	}
	l := life{mortal: first, repeated: p.judge(ctx, t, d, seen, fatal)}
	if d.at > 0 && d.how != acked && !first.died() && l.n < d.at-1 {
		t.Logf("dies at %d, %s: it was done after %d operations", d.at, d.how, l.n)
	}
	return l
}

// takeover is how long it takes until a dead worker's tasks run again.
const takeover = 15 * time.Second

// later lets the time pass until the second worker takes over: what expires until
// then is gone, such as the locks of the first one.
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

// tasks are those that wait in any lane.
func (p *proof) tasks(ctx context.Context, fatal func(error)) []errand {
	var all []errand
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
			all = append(all, errand{lane, queue.Task{ID: task.ID, Payload: task.Payload}})
		}
	}
	return all
}

// work hands the tasks to a new worker, all at once, and returns those that are
// not done: those that it put back, and those that it died with. rounds is how
// often it hands them out, 0: until the worker has put none back.
func (p *proof) work(ctx context.Context, fatal func(error), sim *simulator.Simulator, m *mortal, tasks []errand, rounds int) (left []errand, why error) {
	o := p.rdb.Options()
	w, err := assemble(ctx, Options{Config: p.cfg, Log: zerolog.Nop(), Redis: func(n int) redis.UniversalClient {
		c := redis.NewClient(&redis.Options{Addr: o.Addr, DB: o.DB, PoolSize: n})
		c.AddHook(m)
		return c
	}})
	fatal(err)
	defer w.rdb.Close()
	w.book.Together = nil // its goroutine would end in place of the one that asks
	if sim != nil {       // nil: it calls the vendors over the network
		w.client.Transport = toVendors{m, sim}
	}
	m.begin()
	for range 20 {
		if rounds == 0 {
			for _, one := range tasks { // an earlier worker died with them, or put them back
				fatal(w.dispatch.Fence(ctx, one.Task, func(context.Context) (bool, error) { return true, nil }))
			}
		}
		if tasks, why = handOut(ctx, w, m, tasks); len(tasks) == 0 || m.died() {
			break
		}
	}
	return tasks, why
}

// handOut has the worker work all tasks at once and returns those that are to
// come again.
func handOut(ctx context.Context, w *Worker, m *mortal, tasks []errand) (left []errand, why error) {
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
		_, dead := err.(*queue.DeadError) //nolint:errorlint // it is what a lane gets
		if !lived || err != nil && !dead {
			left, why = append(left, tasks[i]), err
		}
	}
	if m.died() {
		return tasks, nil // an acknowledgement is an operation too: a dead worker made none
	}
	return left, why
}

// judge holds ledgers, feed and dead letters against what the vendors saw, and
// returns how many tokens were sent again.
func (p *proof) judge(ctx context.Context, t *testing.T, d death, seen *sightings, fatal func(error)) (repeated int) {
	t.Helper()
	wrong := func(format string, args ...any) {
		t.Helper()
		t.Errorf("dies at %d, %s: %s", d.at, d.how, fmt.Sprintf(format, args...))
	}
	given, invalid := p.ended(ctx, wire.DeadStream, fatal), p.ended(ctx, wire.InvalidStream, fatal)
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
				if !given[token] && !invalid[token] {
					delivered++
					if seen.accepted(token) == 0 && st.Canceled == 0 {
						wrong("%s is lost: it ended neither dead nor invalid, and no vendor accepted it", token)
					}
				}
				if j.Delivery == push.AtMostOnce && len(requests) > 1 {
					wrong("%s, at most once, was in %d requests", token, len(requests))
				}
				if len(requests) > 1+p.repeats+1 {
					wrong("%s was in %d requests: a death may add one", token, len(requests))
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
			wrong("left behind: %q", left)
		}
	}
	return repeated
}

// ended are the tokens of a stream's entries. One may be there twice only in different jobs.
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
