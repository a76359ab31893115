package worker

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
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

var (
	cuts     = flag.Int("cuts", 40, "number of random points at which Redis's append-only file is cut")
	cutsSeed = flag.Uint64("cuts-seed", 0, "seed of these points; 0: a random one")
)

const powerSettings = `
redis: {url: %q}
http: {listen: "127.0.0.1:0"}
retry: {attempts: 2, first: 1ms, max: 2ms}
worker: {linger: 20ms}
apps:
  shop:
    huawei: {client_id: "100001", client_secret: demo-secret, base_url: "%[2]s", auth_url: "%[2]s/oauth2/v3/token", rate: 0, batch: 20}
    oppo: {app_key: "100001", master_secret: demo-secret, base_url: "%[2]s", rate: 0}
    vivo: {app_id: 100001, app_key: "100001", app_secret: demo-secret, base_url: "%[2]s", rate: 0}
    xiaomi: {app_secret: demo-secret, package_name: "100001", base_url: "%[2]s", rate: 0}
`

// TestPowerLoss records how a worker processes jobs of every kind on a Redis with
// an append-only file. Then, for each of many points, it starts a Redis with what a
// power loss would have left if nothing after that point had reached the disk, and
// a new worker processes what is left.
//
// Every remaining ledger must end and balance, no chunk may remain, and each token
// that a ledger counts as delivered must have been accepted by the vendor, before
// the point or from the new worker. A token of an at-most-once job may be sent
// twice only if its mark, which is written before the request, was lost.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	seed := *cutsSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	p := recordPower(t)
	points := p.points(rand.New(rand.NewPCG(seed, 0)))
	t.Logf("seed %d (repeat with -cuts-seed %d -cuts %d); %d bytes in %d commands, cut at %d points", seed, seed, *cuts, p.end-p.begin, p.commands, len(points))
	var sum lossCount
	for _, at := range points {
		got := p.cut(t, at)
		sum.ledgers, sum.lost = sum.ledgers+got.ledgers, sum.lost+got.lost
		sum.repeats, sum.unmarked, sum.restored = sum.repeats+got.repeats, sum.unmarked+got.unmarked, sum.restored+got.restored
	}
	t.Logf("%d ledgers were left and ended, %d were lost; %d tokens were sent again, %d of them of at-most-once jobs whose mark was lost, "+
		"and %d under the new id of a message that was uploaded again", sum.ledgers, sum.lost, sum.repeats, sum.unmarked, sum.restored)
	if !t.Failed() {
		t.Logf("proof power: points=%d ledgers=%d repeats=%d unmarked=%d restored=%d", len(points), sum.ledgers, sum.repeats, sum.unmarked, sum.restored)
	}
}

// lossCount sums up the results of cuts.
type lossCount struct {
	ledgers, lost int // remaining ledgers, and ledgers lost with their job
	repeats       int // tokens in more requests than without the cut
	unmarked      int // of these, at-most-once tokens whose mark was lost
	restored      int // of these, under the id of a message that was uploaded again
}

// power is a recording of a worker's run.
type power struct {
	cfg        *config.Config
	sim        *simulator.Simulator
	server     *redistest.Server
	jobs       []push.Job
	begin, end int64 // offsets of the recorded part of the append-only file
	ends       []int64
	commands   int

	mu   sync.Mutex
	seen []powerSeen
	// after is the index in seen at which the new worker's tokens begin.
	after int
}

// powerSeen is a token of a request.
type powerSeen struct {
	token, key string
	judged     bool
	// at is the length of the append-only file when the vendor had answered.
	at int64
}

func (p *power) note(s simulator.Seen) {
	tree, at := parse(string(s.Body)), p.server.AppendedSize()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range s.Tokens {
		key, _ := keyOf(tree, string(b))
		p.seen = append(p.seen, powerSeen{string(b), key, s.Judged, at})
	}
}

// powerFaults answer HTTP 500 for some tokens always, and break the connection of
// some requests, so that their outcome is unknown.
func powerFaults() []simulator.Fault {
	return []simulator.Fault{
		{Vendor: "huawei", Endpoint: "send", TokenPrefix: "failing", Status: http.StatusInternalServerError},
		{Vendor: "huawei", Endpoint: "send", TokenPrefix: "unknown", Reset: true, Accept: true},
		{Vendor: "huawei", Endpoint: "send", Code: "81000001", TokenPrefix: "busy", Times: 1},
	}
}

// powerJobs are the jobs of the recording; each group is enqueued in one call.
func powerJobs() [][]push.Job {
	inAnHour := func(j *push.Job) { j.NotBefore = time.Now().Add(time.Hour) }
	one := func(j push.Job) []push.Job { j.Message.Title = j.ID; return []push.Job{j} }
	once := proofJob("packed-once", "huawei", 3, atMostOnce)
	groups := [][]push.Job{
		one(proofJob("large", "huawei", 70)),
		one(proofJob("large-once", "huawei", 70, atMostOnce)),
		one(proofJob("one", "huawei", 1)),
		one(proofJob("part", "xiaomi", 6, withBad)),
		append(singles("huawei", 5), once, proofJob("packed", "huawei", 4, withBad)),
		one(proofJob("canceled", "huawei", 5, inAnHour)),
		one(proofJob("failing", "huawei", 2)),
		one(proofJob("unknown", "huawei", 2, atMostOnce)),
		one(proofJob("busy", "huawei", 4)),
		{proofJob("first", "xiaomi", 1, titled("first")), proofJob("second", "xiaomi", 1, titled("second"), atMostOnce)},
		one(proofJob("list", "vivo", 3)),
		one(proofJob("broadcast", "oppo", 3, marketing)),
		one(proofJob("list-once", "vivo", 3, atMostOnce)),
	}
	return groups
}

func recordPower(t *testing.T) *power {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p := &power{server: redistest.Start(t, redistest.AppendOnly())}
	p.sim = simulator.New(simulator.Options{Watch: p.note, Grants: -1})
	url, stop, err := p.sim.Listen("127.0.0.1:0")
	must(err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		_ = stop(ctx)
	})
	must(p.sim.SetFaults(powerFaults()))
	rdb := p.server.Client(t)
	p.cfg, err = config.Parse("power.yaml", fmt.Appendf(nil, powerSettings, redistest.URL(rdb), url), registry.All(), config.Source{})
	must(err)
	w, err := Start(t.Context(), Options{Config: p.cfg, Log: zerolog.Nop(), Redis: func(n int) redis.UniversalClient {
		return redis.NewClient(&redis.Options{Addr: p.server.Addr(), PoolSize: n})
	}})
	must(err)
	client, err := push.NewClient(rdb, push.Options{Vendors: registry.ForClient(), Apps: p.cfg.ForClient()})
	must(err)
	p.begin = p.server.AppendedSize()
	for _, jobs := range powerJobs() {
		for _, o := range client.EnqueueMany(t.Context(), jobs) {
			must(o.Err)
		}
		p.jobs = append(p.jobs, jobs...)
	}
	book := &ledger.Store{Redis: rdb}
	must(book.Cancel(t.Context(), "canceled"))
	again, tooLate := time.NewTicker(10*time.Millisecond), time.After(30*time.Second)
	defer again.Stop()
	for _, j := range p.jobs {
		for {
			st, err := book.Status(t.Context(), j.ID)
			must(err)
			if st.Ended() {
				break
			}
			select {
			case <-again.C:
			case <-tooLate:
				t.Fatalf("job %s has not ended: %+v", j.ID, st)
			}
		}
	}
	p.end = p.server.AppendedSize()
	must(w.Stop())
	p.server.Kill()
	all, err := redistest.Boundaries(p.server.Appended(t))
	must(err)
	for _, at := range all {
		if at >= p.begin && at <= p.end {
			p.ends = append(p.ends, at)
		}
	}
	p.commands, p.after = len(p.ends)-1, len(p.seen)
	return p
}

// points returns where the file is cut: both ends, and of the others half anywhere
// and half at the end of a command or one byte before or after it.
func (p *power) points(rng *rand.Rand) []int64 {
	all := map[int64]bool{p.begin: true, p.end: true}
	for len(all) < min(*cuts, int(p.end-p.begin)) {
		at := p.begin + rng.Int64N(p.end-p.begin)
		if len(all)%2 == 0 {
			at = p.ends[rng.IntN(len(p.ends))] + rng.Int64N(3) - 1
		}
		all[max(p.begin, min(at, p.end))] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// cut drops what was written after a point, lets a new worker process what is left,
// and verifies the result.
func (p *power) cut(t *testing.T, at int64) lossCount {
	t.Helper()
	ctx := t.Context()
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("cut at %d: %v", at, err)
		}
	}
	p.mu.Lock()
	p.seen = p.seen[:p.after]
	p.mu.Unlock()
	fatal(p.sim.SetFaults(powerFaults()))
	server := p.server.StartCut(t, at)
	defer server.Kill()
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer rdb.Close()
	left := &proof{scenario: scenario{name: fmt.Sprintf("cut at %d", at), jobs: p.jobs}, rdb: rdb, cfg: p.cfg}
	known := left.recorded(ctx, fatal)
	left.later(ctx, fatal)
	for round := 0; ; round++ {
		if round == 10 {
			fatal(errors.New("new tasks appear without end"))
		}
		tasks := left.everywhere(ctx, fatal)
		var why error
		if tasks, why = left.handle(ctx, fatal, nil, &crashHook{}, tasks, 0); len(tasks) > 0 {
			t.Errorf("cut at %d: %d tasks did not end: %v", at, len(tasks), why)
			return lossCount{}
		}
		left.acknowledge(ctx, fatal)
		if left.look(ctx, fatal); len(left.everywhere(ctx, fatal)) == 0 {
			break
		}
	}
	return p.verify(ctx, t, at, left, known, fatal)
}

// recorded is what Redis has recorded about requests.
type recorded struct {
	marked map[string]bool   // tokens whose request was made or about to be made
	keys   map[string]string // random idempotency keys by token
}

// recorded reads what is left in Redis. A token without a chunk has its outcome if
// its job has a ledger.
func (p *proof) recorded(ctx context.Context, fatal func(error)) recorded {
	r := recorded{map[string]bool{}, map[string]string{}}
	for _, j := range p.jobs {
		n, err := p.rdb.Exists(ctx, wire.JobKey(j.ID)).Result()
		fatal(err)
		for _, tokens := range j.Targets {
			for _, token := range tokens {
				r.marked[token] = n == 1
			}
		}
	}
	keys, err := p.rdb.Keys(ctx, wire.ChunkKey("*")).Result()
	fatal(err)
	for _, key := range keys {
		raw, err := p.rdb.Get(ctx, key).Result()
		fatal(err)
		chunk, err := wire.DecodeChunk(raw)
		fatal(err)
		at := 0
		for _, e := range chunk.Entries {
			for _, token := range e.Tokens {
				r.marked[token] = chunk.States[at] == wire.Sent || chunk.States[at] == wire.Resolved
				if chunk.Tail.Keys != nil {
					r.keys[token] = chunk.Tail.Keys[at]
				}
				at++
			}
		}
	}
	return r
}

// everywhere returns all tasks that are not archived, as if all were due and no
// worker were alive.
func (p *proof) everywhere(ctx context.Context, fatal func(error)) []laneTask {
	var all []laneTask
	p.eachTask(ctx, fatal, func(lane, id string) {
		msg, err := p.rdb.HGet(ctx, wire.TaskKey(lane, id), "msg").Bytes()
		if errors.Is(err, redis.Nil) {
			return
		}
		fatal(err)
		task, _, err := wire.DecodeTask(msg)
		fatal(err)
		all = append(all, laneTask{lane, queue.Task{ID: task.ID, Payload: task.Payload}})
	})
	return all
}

func (p *proof) eachTask(ctx context.Context, fatal func(error), do func(lane, id string)) {
	for _, lane := range p.lanes() {
		for _, key := range []string{wire.PendingKey(lane), wire.ActiveKey(lane)} {
			ids, err := p.rdb.LRange(ctx, key, 0, -1).Result()
			fatal(err)
			for _, id := range ids {
				do(lane, id)
			}
		}
		for _, key := range []string{wire.ScheduledKey(lane), wire.RetryKey(lane)} {
			ids, err := p.rdb.ZRange(ctx, key, 0, -1).Result()
			fatal(err)
			for _, id := range ids {
				do(lane, id)
			}
		}
	}
}

func (p *proof) lanes() []string {
	var all []string
	for _, v := range p.cfg.Served() {
		for _, priority := range push.Priorities() {
			all = append(all, wire.Lane(v, string(priority)))
		}
	}
	return all
}

// acknowledge removes the handled tasks, as asynq does.
func (p *proof) acknowledge(ctx context.Context, fatal func(error)) {
	p.eachTask(ctx, fatal, func(lane, id string) { fatal(p.rdb.Del(ctx, wire.TaskKey(lane, id)).Err()) })
	for _, lane := range p.lanes() {
		fatal(p.rdb.Del(ctx, wire.PendingKey(lane), wire.ActiveKey(lane), wire.LeaseKey(lane), wire.ScheduledKey(lane), wire.RetryKey(lane)).Err())
	}
}

// look runs the recovery of a worker, half an hour later: jobs whose producer died,
// lost tasks, and archived tasks.
func (p *proof) look(ctx context.Context, fatal func(error)) {
	o := p.rdb.Options()
	w, err := assemble(ctx, Options{Config: p.cfg, Log: zerolog.Nop(), Redis: func(n int) redis.UniversalClient {
		return redis.NewClient(&redis.Options{Addr: o.Addr, DB: o.DB, PoolSize: n})
	}})
	fatal(err)
	defer w.rdb.Close()
	producer, err := push.NewClient(w.rdb, push.Options{
		Vendors: registry.ForClient(), Apps: p.cfg.ForClient(), Now: func() time.Time { return time.Now().Add(30 * time.Minute) },
	})
	fatal(err)
	finder := &queue.Finder{
		Redis: w.rdb, Lanes: p.lanes(), Lost: w.dispatch.Lost, End: w.dispatch.End, EndArchived: w.dispatch.EndArchived, Adopt: w.dispatch.Adopt, Log: zerolog.Nop(),
		Producers: func(ctx context.Context) error { _, _, err := producer.CompleteStale(ctx); return err },
	}
	fatal(finder.Look(ctx))
	for _, lane := range p.lanes() {
		ids, err := p.rdb.ZRange(ctx, wire.ArchivedKey(lane), 0, -1).Result()
		fatal(err)
		var archived []queue.Archived
		for _, id := range ids {
			msg, err := p.rdb.HGet(ctx, wire.TaskKey(lane, id), "msg").Bytes()
			fatal(err)
			task, detail, err := wire.DecodeTask(msg)
			fatal(err)
			archived = append(archived, queue.Archived{Task: queue.Task{ID: task.ID, Payload: task.Payload}, Reason: wire.DeadArchived, Detail: detail})
		}
		if len(archived) > 0 {
			fatal(w.dispatch.EndArchived(ctx, lane, archived))
		}
	}
}

// seenOf has the idempotency keys of the requests with one token.
type seenOf struct {
	recorded []string // in the recording
	before   []string // of these, requests that the vendor had answered before the cut
	again    []string // from the new worker
	known    bool     // the vendor accepted one of the recording
	taken    bool     // the vendor accepted one before the cut or from the new worker
}

func (p *power) seenUntil(at int64) map[string]*seenOf {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[string]*seenOf{}
	for i, s := range p.seen {
		one := all[s.token]
		if one == nil {
			one = &seenOf{}
			all[s.token] = one
		}
		if i >= p.after {
			one.again = append(one.again, s.key)
			one.taken = one.taken || s.judged || one.known // vendors recognize a repeated key and do not count it again
			continue
		}
		one.recorded = append(one.recorded, s.key)
		one.known = one.known || s.judged
		if s.at <= at {
			one.before = append(one.before, s.key)
			one.taken = one.taken || s.judged
		}
	}
	return all
}

// verify compares ledgers, feed and dead letters with what the vendors saw.
func (p *power) verify(ctx context.Context, t *testing.T, at int64, left *proof, known recorded, fatal func(error)) (count lossCount) {
	t.Helper()
	wrong := func(format string, args ...any) {
		t.Helper()
		t.Errorf("cut at %d: %s", at, fmt.Sprintf(format, args...))
	}
	all := p.seenUntil(at)
	dead, invalid := left.ended(ctx, wire.DeadStream, fatal), left.ended(ctx, wire.InvalidStream, fatal)
	maps.Copy(invalid, left.ended(ctx, wire.QuarantineStream, fatal))
	for _, j := range p.jobs {
		st, err := (&ledger.Store{Redis: left.rdb}).Status(ctx, j.ID)
		if errors.Is(err, ledger.ErrUnknown) {
			count.lost++
			continue
		}
		fatal(err)
		count.ledgers++
		if !st.Ended() || st.Pending != 0 || st.Delivered+st.Invalid+st.Dropped+st.Expired+st.Dead+st.Canceled != st.Accepted {
			wrong("the ledger of %s does not balance: %+v", j.ID, st)
		}
		ends := map[string]int{}
		for _, tokens := range j.Targets {
			for _, token := range tokens {
				s := all[token]
				if s == nil {
					s = &seenOf{}
				}
				switch {
				case dead[token]:
					ends["dead"]++
				case invalid[token]:
					ends["invalid"]++
				case st.Canceled > 0: // in this scenario jobs are canceled completely
				default:
					ends["delivered"]++
					if !s.taken || strings.HasPrefix(token, "bad-") {
						wrong("%s is lost: it ended neither dead nor invalid, and no vendor accepted it", token)
					}
				}
				p.verifyToken(wrong, j, token, s, known, &count)
			}
		}
		if st.Delivered != ends["delivered"] || st.Invalid != ends["invalid"] || st.Dead != ends["dead"] {
			wrong("%s says %+v, want %v", j.ID, st, ends)
		}
	}
	for _, pattern := range []string{wire.ChunkKey("*"), wire.OpenKey("*"), wire.PackJobsKey("*")} {
		keys, err := left.rdb.Keys(ctx, pattern).Result()
		fatal(err)
		if len(keys) > 0 {
			wrong("keys are left: %q", keys)
		}
	}
	return count
}

// verifyToken checks how often a token was sent, and under which keys.
func (p *power) verifyToken(wrong func(string, ...any), j push.Job, token string, s *seenOf, known recorded, count *lossCount) {
	if len(s.recorded) > 0 && len(s.again) > 0 {
		count.repeats++
	}
	if j.Delivery == push.AtMostOnce {
		switch {
		case len(s.recorded) > 1 || len(s.again) > 1:
			wrong("%s, at most once, was in %d requests and then in %d", token, len(s.recorded), len(s.again))
		case len(s.again) > 0 && (known.marked[token] || len(s.before) > 0):
			wrong("%s, at most once, was sent again: its mark was kept: %v; it was sent before: %v", token, known.marked[token], len(s.before) > 0)
		case len(s.again) > 0 && len(s.recorded) > 0:
			count.unmarked++
		}
	}
	if n := distinct(slices.Concat(s.again, s.before)); n > 1 {
		wrong("%s was sent again under another key than before: %q, then %q", token, s.before, s.again)
	}
	if key := known.keys[token]; key != "" && distinct(append([]string{key}, s.again...)) > 1 {
		wrong("%s has the key %q, and was sent under %q", token, key, s.again)
	}
	switch {
	case distinct(slices.Concat(s.again, s.recorded)) < 2:
	case hasRecordedKey(j):
		count.restored++
	default:
		wrong("%s was sent under several keys: %q, then %q", token, s.recorded, s.again)
	}
}

func distinct(keys []string) int { return len(slices.Compact(slices.Sorted(slices.Values(keys)))) }

// hasRecordedKey reports whether the job's tokens have a key that does not follow
// from the job: the vendor's id of an uploaded message, or a random one for jobs
// that share a request. It is recorded before the request; if the record was lost,
// there is a new key.
func hasRecordedKey(j push.Job) bool {
	return slices.Contains([]string{"list", "list-once", "broadcast", "packed", "packed-once"}, j.ID) || strings.HasPrefix(j.ID, "single-")
}
