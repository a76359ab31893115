package worker_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/limit"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/internal/stalltest"
	"github.com/postrider/postrider/internal/worker"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// Parameters of TestClocksThatAreOff.
const (
	clocksSlowed = 40              // jobs that flow control delays
	clocksRate   = 300             // the limit in tokens a second
	clocksBlock  = 50              // the most tokens in one request
	clocksFirst  = 2 * time.Second // the first retry's delay, before jitter
	clocksTTL    = 8 * time.Second // until the job of the paused account expires
)

const clocksSettings = `
redis: {url: %q}
http: {listen: "127.0.0.1:0"}
retry: {attempts: 8, first: 2s, max: 4s}
worker: {shutdown_timeout: 25s}
apps:
  shop:
    huawei: {client_id: "100001", client_secret: demo-secret, base_url: "%[2]s", auth_url: "%[2]s/oauth2/v3/token", rate: 300, batch: 50}
    honor: {app_id: "100001", client_id: "100001", client_secret: demo-secret, base_url: "%[2]s", auth_url: "%[2]s/auth/token", rate: 0, timeout: 20s}
    oppo: {app_key: "100001", master_secret: demo-secret, base_url: "%[2]s", rate: 0}
    vivo: {app_id: 100001, app_key: "100001", app_secret: demo-secret, base_url: "%[2]s", rate: 0}
    xiaomi: {app_secret: demo-secret, package_name: "100001", base_url: "%[2]s", rate: 0}
    meizu: {app_id: "100001", app_secret: demo-secret, base_url: "%[2]s", rate: 0}
`

// TestClocksThatAreOff runs three workers with clocks 20 s slow, correct and
// 20 s fast on one Redis, together with a frozen worker whose tasks are taken over,
// and one whose clock is 40 s fast. Nothing may happen too early, too late or twice.
//
// Only the clock that this module reads is skewed. asynq reads the machine's own
// clock; the queue corrects the times that it writes, and sets those of leases.
func TestClocksThatAreOff(t *testing.T) {
	t.Parallel()
	c := newClocks(t)
	begin := time.Now()

	// The first worker, 20 s fast, freezes with two requests in flight, and thaws
	// after the others have taken over.
	c.fault(
		simulator.Fault{Vendor: "huawei", Endpoint: "send", TokenPrefix: "slow-", Delay: simulator.Duration(4 * time.Second), Times: 2, Accept: true},
		simulator.Fault{Vendor: "honor", Endpoint: "send", TokenPrefix: "long", Delay: simulator.Duration(14 * time.Second), Accept: true},
		simulator.Fault{Vendor: "xiaomi", Endpoint: "send", Status: http.StatusInternalServerError, Times: 2},
		simulator.Fault{Vendor: "meizu", Endpoint: "send", Code: "110010", Times: 3},
	)
	frozen := c.start("frozen", 20*time.Second)
	c.enqueue("slow", "huawei", 30)
	c.enqueue("slow-once", "huawei", 30, func(j *push.Job) { j.Delivery = push.AtMostOnce })
	c.eventually("two requests are in flight", func() bool { return c.sim.Report().Vendors["huawei"].Endpoints["send"] == 2 })
	frozen.freeze()

	for _, off := range []time.Duration{-20 * time.Second, 0, 20 * time.Second} {
		c.start(off.String(), off)
	}
	wrong := c.start("40s", 40*time.Second)

	_, err := (&limit.Limiter{Redis: c.rdb}).Pause(t.Context(), limit.Key{App: "shop", Vendor: "oppo"}, "", time.Now().Add(time.Hour), "for this test")
	c.must(err)
	late := stalltest.Watch(t)
	expires := time.Now().Add(clocksTTL)
	c.enqueue("expires", "oppo", 5, func(j *push.Job) { j.ExpiresAt = expires })
	c.enqueue("long", "honor", 20)
	c.enqueue("flow", "huawei", 6*clocksRate)
	c.enqueue("retried", "xiaomi", 10)
	for i := range clocksSlowed {
		c.enqueue(fmt.Sprintf("slowed-%d", i), "meizu", 2)
	}
	for i := range 60 {
		c.enqueue(fmt.Sprintf("once-%d", i), "vivo", 5, func(j *push.Job) { j.Delivery = push.AtMostOnce })
	}

	// Every worker sends again when the stop is over.
	for i := range clocksSlowed {
		c.ended(fmt.Sprintf("slowed-%d", i))
	}
	slowed := time.Since(begin)
	if slowed > 15*time.Second {
		t.Errorf("jobs that flow control delayed by a few seconds took %v", slowed)
	}
	ended := map[string]time.Duration{}
	for _, id := range []string{"expires", "retried", "flow", "slow", "slow-once", "long"} {
		st := c.ended(id)
		ended[id] = time.Since(begin)
		if id == "slow-once" {
			frozen.thaw() // it can no longer record its results
		}
		want := st
		want.Delivered, want.Expired, want.Dead = st.Accepted, 0, 0
		switch id {
		case "expires":
			want.Delivered, want.Expired = 0, st.Accepted
			if over := time.Since(expires); over < 0 || over > 3*time.Second {
				t.Errorf("it ended %v after its expiry, want within 3 s", over)
			}
		case "slow-once":
			want.Delivered, want.Dead = 0, st.Accepted
		}
		if st.Delivered != want.Delivered || st.Expired != want.Expired || st.Dead != want.Dead {
			t.Errorf("%s: got %+v, want %d delivered, %d expired and %d dead", id, st, want.Delivered, want.Expired, want.Dead)
		}
	}
	for i := range 60 {
		if st := c.ended(fmt.Sprintf("once-%d", i)); st.Delivered != 5 {
			t.Errorf("got %+v, want all delivered", st)
		}
	}
	slack := late()

	c.wantRate(slack)
	repeats := c.wantOnce()
	c.wantRetries()
	for name, n := range c.requests() {
		switch {
		case name == wrong.name && n > 0:
			t.Errorf("the worker whose clock is 40 s ahead made %d requests", n)
		case name != wrong.name && n == 0:
			t.Errorf("the worker %s made no request", name)
		}
	}
	if !strings.Contains(wrong.log.String(), "no task is taken until they agree within 30s") {
		t.Errorf("the log does not say why it takes no task: %s", wrong.log.String())
	}
	if status, body := wrong.ready(t); status != http.StatusServiceUnavailable || !strings.Contains(body, "40s ahead") {
		t.Errorf("/readyz answers %d %q, want 503 and the reason", status, body)
	}
	t.Logf("slowed after %v, ended after %v; %d repeats", slowed, ended, repeats)
	if !t.Failed() {
		t.Logf("proof clocks: workers=3 skew=20s seconds=%d repeats=%d", int(time.Since(begin).Seconds()), repeats)
	}
}

// clocks are workers on one Redis, and a record of the requests that vendors got.
type clocks struct {
	*testing.T
	rdb    *redis.Client
	sim    *simulator.Simulator
	client *push.Client

	mu   sync.Mutex
	seen []seenToken
	host map[string]string // the worker's name by the vendors' address that it uses
	sent map[string]int    // requests by worker name
}

type seenToken struct {
	vendor, token string
	key           string // the idempotency key, only of the frozen worker's tokens
	at            time.Time
	judged        bool
}

// skewed is a worker with its own clock.
type skewed struct {
	*worker.Worker
	name string
	log  logs
	freezer
}

func newClocks(t *testing.T) *clocks {
	t.Helper()
	c := &clocks{T: t, rdb: redistest.Client(t), host: map[string]string{}, sent: map[string]int{}}
	c.sim = simulator.New(simulator.Options{Watch: c.note})
	var err error
	c.client, err = push.NewClient(c.rdb, push.Options{Vendors: registry.ForClient(), Apps: c.config("http://127.0.0.1:1").ForClient()})
	c.must(err)
	return c
}

func (c *clocks) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *clocks) fault(all ...simulator.Fault) {
	c.Helper()
	c.must(c.sim.SetFaults(all))
}

// note is called by the simulator for each request.
func (c *clocks) note(s simulator.Seen) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(s.Tokens) == 0 {
		return
	}
	c.sent[c.host[s.Host]]++
	for _, token := range s.Tokens {
		seen := seenToken{vendor: s.Vendor, token: string(token), at: s.At, judged: s.Judged}
		if strings.HasPrefix(seen.token, "slow-") {
			seen.key = worker.KeyIn(s.Body, seen.token)
		}
		c.seen = append(c.seen, seen)
	}
}

// requests counts requests with tokens by worker name.
func (c *clocks) requests() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]int{}
	for _, name := range c.host {
		all[name] = c.sent[name]
	}
	return all
}

func (c *clocks) config(url string) *config.Config {
	c.Helper()
	cfg, err := config.Parse("clocks.yaml", fmt.Appendf(nil, clocksSettings, redistest.URL(c.rdb), url), registry.All(), config.Source{})
	c.must(err)
	return cfg
}

// start starts a worker whose clock is off. It reaches the vendors at its own
// address, by which requests are counted.
func (c *clocks) start(name string, off time.Duration) *skewed {
	c.Helper()
	url, stop, err := c.sim.Listen("127.0.0.1:0")
	c.must(err)
	c.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), 10*time.Second)
		defer cancel()
		_ = stop(ctx)
	})
	c.mu.Lock()
	c.host[strings.TrimPrefix(url, "http://")] = name
	c.mu.Unlock()
	s, o := &skewed{name: name}, c.rdb.Options()
	s.Worker, err = worker.Start(c.Context(), worker.Options{
		Config: c.config(url), Log: zerolog.New(&s.log),
		Redis: func(n int) redis.UniversalClient {
			rdb := redis.NewClient(&redis.Options{Addr: o.Addr, DB: o.DB, PoolSize: n})
			rdb.AddHook(&s.freezer)
			return rdb
		},
		Clock: func() time.Time { return time.Now().Add(off) },
	})
	c.must(err)
	c.Cleanup(func() {
		s.thaw()
		if err := s.Stop(); err != nil {
			c.Error(name, err)
		}
	})
	return s
}

// ready gets a worker's /readyz.
func (s *skewed) ready(t *testing.T) (status int, body string) {
	t.Helper()
	r := &rig{T: t, worker: s.Worker}
	return r.get("/readyz", "", "")
}

// freezer is a Redis hook that blocks all commands of a worker while it is frozen.
type freezer struct {
	mu     sync.Mutex
	thawed chan struct{} // nil: it is not frozen
}

func (f *freezer) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.thawed = make(chan struct{})
}

func (f *freezer) thaw() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.thawed != nil {
		close(f.thawed)
		f.thawed = nil
	}
}

func (f *freezer) wait() {
	f.mu.Lock()
	thawed := f.thawed
	f.mu.Unlock()
	if thawed != nil {
		<-thawed
	}
}

// DialHook, ProcessHook and ProcessPipelineHook implement redis.Hook.
func (f *freezer) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (f *freezer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		f.wait()
		return next(ctx, cmd)
	}
}

func (f *freezer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		f.wait()
		return next(ctx, cmds)
	}
}

func (c *clocks) enqueue(id, vendor string, n int, change ...func(*push.Job)) {
	c.Helper()
	j := push.Job{ID: id, App: "shop", Message: push.Message{Title: id, Body: "Your order is on its way"}}
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("%s-token-%d", id, i)
	}
	j.Targets = map[string][]string{vendor: tokens}
	for _, one := range change {
		one(&j)
	}
	_, err := c.client.Enqueue(c.Context(), j)
	c.must(err)
}

func (c *clocks) eventually(what string, ok func() bool) {
	c.Helper()
	(&rig{T: c.T}).within(40*time.Second, what, ok)
}

// ended waits until a job has ended.
func (c *clocks) ended(id string) ledger.Status {
	c.Helper()
	var st ledger.Status
	c.eventually("job "+id+" has ended", func() bool {
		var err error
		st, err = (&ledger.Store{Redis: c.rdb}).Status(c.Context(), id)
		return err == nil && st.Ended()
	})
	return st
}

// wantRate demands that no second had more tokens than the rate and one block. A
// worker that stalled between permit and request sends later, closer to the next
// requests, so slack is allowed.
func (c *clocks) wantRate(slack time.Duration) {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []time.Time
	for _, s := range c.seen {
		if s.vendor == "huawei" {
			all = append(all, s.at)
		}
	}
	most, first := 0, 0
	for i, at := range all {
		for at.Sub(all[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	allowed := int(clocksRate*(time.Second+slack).Seconds()) + clocksBlock
	c.Logf("at most %d tokens in a second, %d allowed; this process stalled for at most %v", most, allowed, slack.Round(time.Millisecond))
	if most > allowed {
		c.Errorf("the vendor saw %d tokens in a second, want at most %d", most, allowed)
	}
}

// wantOnce demands that vendors accepted each token once, except tokens that were
// in flight when the worker froze and are not at-most-once: these twice, under the
// same key. It returns how many were repeated.
func (c *clocks) wantOnce() (repeats int) {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	taken, keys := map[string]int{}, map[string]string{}
	for _, s := range c.seen {
		if before, ok := keys[s.token]; strings.HasPrefix(s.token, "slow-") && (s.key == "" || ok && s.key != before) {
			c.Errorf("%s was sent under the key %q, before under %q", s.token, s.key, before)
		}
		keys[s.token] = s.key
		if s.judged {
			taken[s.token]++
		}
	}
	for token, n := range taken {
		switch {
		case n == 1:
		case n == 2 && strings.HasPrefix(token, "slow-token"):
			repeats++
		default:
			c.Errorf("the vendor accepted %s %d times", token, n)
		}
	}
	return repeats
}

// wantRetries demands that requests with HTTP 500 were repeated after their delay.
func (c *clocks) wantRetries() {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var at []time.Time
	for _, s := range c.seen {
		if s.token == "retried-token-0" {
			at = append(at, s.at)
		}
	}
	if len(at) != 3 {
		c.Errorf("the job that got HTTP 500 twice was sent %d times, want 3", len(at))
	}
	for i := range len(at) - 1 {
		// The delays are 2 s and 4 s minus up to half for jitter; asynq rounds up to
		// whole seconds, and checks for due tasks every 2 s.
		early, late := clocksFirst/2, 10*time.Second
		if gap := at[i+1].Sub(at[i]); gap < early || gap > late {
			c.Errorf("retry %d came after %v, want %v to %v", i+1, gap, early, late)
		}
	}
}
