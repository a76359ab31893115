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

// What the workers of TestClocksThatAreOff are limited to: tokens a second, and
// in one request.
const (
	clocksSlowed = 40 // jobs that flow control holds up
	clocksRate   = 300
	clocksBlock  = 50
	clocksFirst  = 2 * time.Second // the first retry's delay, before its jitter
	clocksTTL    = 8 * time.Second // how soon the job in a paused account expires
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

// TestClocksThatAreOff has three workers whose machines' clocks are 20 s behind,
// right and 20 s ahead share one Redis with one that is taken for dead, and one
// that is 40 s ahead. Nothing may happen too early, too late or twice.
//
// The clocks are those that this module reads. asynq reads the machine's own; the
// times that it writes are corrected by the queue, and those of leases are the
// queue's.
func TestClocksThatAreOff(t *testing.T) {
	t.Parallel()
	c := newClocks(t)
	begin := time.Now()

	// The first one, 20 s ahead, freezes with two requests in flight, and wakes up
	// when others have taken over.
	c.fault(
		simulator.Fault{Vendor: "huawei", Endpoint: "send", TokenPrefix: "slow-", Delay: simulator.Duration(4 * time.Second), Times: 2, Accept: true},
		simulator.Fault{Vendor: "honor", Endpoint: "send", TokenPrefix: "long", Delay: simulator.Duration(14 * time.Second), Accept: true},
		simulator.Fault{Vendor: "xiaomi", Endpoint: "send", Status: http.StatusInternalServerError, Times: 2},
		simulator.Fault{Vendor: "meizu", Endpoint: "send", Code: "110010", Times: 3},
	)
	dead := c.start("frozen", 20*time.Second)
	c.enqueue("slow", "huawei", 30)
	c.enqueue("slow-once", "huawei", 30, func(j *push.Job) { j.Delivery = push.AtMostOnce })
	c.eventually("two requests are in flight", func() bool { return c.sim.Report().Vendors["huawei"].Endpoints["send"] == 2 })
	dead.freeze()

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

	// Every worker goes on when the stop is over.
	for i := range clocksSlowed {
		c.ended(fmt.Sprintf("slowed-%d", i))
	}
	slowed := time.Since(begin)
	if slowed > 15*time.Second {
		t.Errorf("what flow control held up for a few seconds took %v", slowed)
	}
	ended := map[string]time.Duration{}
	for _, id := range []string{"expires", "retried", "flow", "slow", "slow-once", "long"} {
		st := c.ended(id)
		ended[id] = time.Since(begin)
		if id == "slow-once" {
			dead.thaw() // what it would record now comes too late
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
		t.Errorf("it does not say why it takes no task: %s", wrong.log.String())
	}
	if status, body := wrong.ready(t); status != http.StatusServiceUnavailable || !strings.Contains(body, "40s ahead") {
		t.Errorf("/readyz answers %d %q, want 503 and the reason", status, body)
	}
	t.Logf("slowed after %v, ended after %v; %d repeats", slowed, ended, repeats)
	if !t.Failed() {
		t.Logf("proof clocks: workers=3 skew=20s seconds=%d repeats=%d", int(time.Since(begin).Seconds()), repeats)
	}
}

// clocks are workers on one Redis, and what the vendors see of them.
type clocks struct {
	*testing.T
	rdb    *redis.Client
	sim    *simulator.Simulator
	client *push.Client

	mu   sync.Mutex
	tape []seenToken
	host map[string]string // of a worker, by the address that it sends to
	sent map[string]int    // requests by the worker's name
}

type seenToken struct {
	vendor, token string
	key           string // the idempotency key, of those that the frozen worker had
	at            time.Time
	judged        bool
}

// skewed is one worker.
type skewed struct {
	*worker.Worker
	name string
	log  logs
	frozen
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

// note is the simulator's watch.
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
		c.tape = append(c.tape, seen)
	}
}

// requests is how many requests with tokens each worker made, by its name.
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

// start starts a worker whose machine's clock is off. It knows the vendors by an
// address of its own.
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
			rdb.AddHook(&s.frozen)
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

// ready asks a worker whether it is.
func (s *skewed) ready(t *testing.T) (status int, body string) {
	t.Helper()
	r := &rig{T: t, worker: s.Worker}
	return r.get("/readyz", "", "")
}

// frozen holds up whatever a worker asks of Redis while it is frozen.
type frozen struct {
	mu     sync.Mutex
	thawed chan struct{} // nil: it is not frozen
}

func (f *frozen) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.thawed = make(chan struct{})
}

func (f *frozen) thaw() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.thawed != nil {
		close(f.thawed)
		f.thawed = nil
	}
}

func (f *frozen) wait() {
	f.mu.Lock()
	thawed := f.thawed
	f.mu.Unlock()
	if thawed != nil {
		<-thawed
	}
}

// DialHook, ProcessHook and ProcessPipelineHook make it a hook of a Redis client.
func (f *frozen) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (f *frozen) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		f.wait()
		return next(ctx, cmd)
	}
}

func (f *frozen) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
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

// ended waits until a job is over.
func (c *clocks) ended(id string) ledger.Status {
	c.Helper()
	var st ledger.Status
	c.eventually("job "+id+" is over", func() bool {
		var err error
		st, err = (&ledger.Store{Redis: c.rdb}).Status(c.Context(), id)
		return err == nil && st.Ended()
	})
	return st
}

// wantRate demands that no second had more than the rate and one block. Who
// stood still between its permit and its request comes later, and so closer to
// those after it.
func (c *clocks) wantRate(slack time.Duration) {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []time.Time
	for _, s := range c.tape {
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
	c.Logf("at most %d tokens in a second, %d allowed; this process stood still for %v at most", most, allowed, slack.Round(time.Millisecond))
	if most > allowed {
		c.Errorf("the vendor saw %d tokens in a second, want at most %d", most, allowed)
	}
}

// wantOnce demands that no token was taken twice but those in flight as the
// worker froze, and none of an at-most-once job, and these under the same key. It returns how
// many were.
func (c *clocks) wantOnce() (repeats int) {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	taken, keys := map[string]int{}, map[string]string{}
	for _, s := range c.tape {
		if before, ok := keys[s.token]; strings.HasPrefix(s.token, "slow-") && (s.key == "" || ok && s.key != before) {
			c.Errorf("%s came under the key %q, before under %q", s.token, s.key, before)
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
			c.Errorf("the vendor took %s %d times", token, n)
		}
	}
	return repeats
}

// wantRetries demands that what got HTTP 500 came again after its delay.
func (c *clocks) wantRetries() {
	c.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var at []time.Time
	for _, s := range c.tape {
		if s.token == "retried-token-0" {
			at = append(at, s.at)
		}
	}
	if len(at) != 3 {
		c.Errorf("the job that got HTTP 500 twice came %d times, want 3", len(at))
	}
	for i := range len(at) - 1 {
		// The delays are 2 s and 4 s, of which jitter takes up to a half; asynq adds
		// whole seconds, and looks for what is due every 2 s.
		early, late := clocksFirst/2, 10*time.Second
		if gap := at[i+1].Sub(at[i]); gap < early || gap > late {
			c.Errorf("retry %d came after %v, want %v to %v", i+1, gap, early, late)
		}
	}
}
