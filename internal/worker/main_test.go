package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/internal/worker"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// The credentials that the simulated vendor knows, and the UI's password.
const (
	secret      = "secret-of-the-first"
	otherSecret = "secret-of-the-second"
	password    = "password-of-the-ui"
)

const settings = `
redis: {url: %q}
http: {listen: "127.0.0.1:0", username: ops, password: %q}
worker: {shutdown_timeout: 15s}
apps:
  shop:
    huawei: {client_id: %q, client_secret: %q, base_url: %q, auth_url: "%[5]s/oauth2/v3/token", rate: 0}
`

// rig is a worker with a Redis, a simulated vendor and a producer.
type rig struct {
	*testing.T
	rdb    *redis.Client
	sim    *simulator.Simulator
	url    string // the vendor's
	log    logs
	client *push.Client
	book   ledger.Store
	worker *worker.Worker
	stop   func() error
}

// logs is a log that may be written concurrently.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newRig(t *testing.T, rdb *redis.Client) *rig {
	t.Helper()
	r := &rig{T: t, rdb: rdb, book: ledger.Store{Redis: rdb}}
	r.sim = simulator.New(simulator.Options{Credentials: map[string][]simulator.Credential{
		"huawei": {{App: "100001", Secret: secret}, {App: "100002", Secret: otherSecret}},
	}})
	url, stop, err := r.sim.Listen("127.0.0.1:0")
	r.must(err)
	r.url = url
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		_ = stop(ctx)
	})
	cfg := r.config("100001", secret)
	r.client, err = push.NewClient(rdb, push.Options{Vendors: registry.ForClient(), Apps: cfg.ForClient()})
	r.must(err)
	return r
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) config(id, secret string) *config.Config {
	r.Helper()
	text := fmt.Sprintf(settings, redistest.URL(r.rdb), password, id, secret, r.url)
	c, err := config.Parse("test.yaml", []byte(text), registry.All(), config.Source{})
	r.must(err)
	return c
}

func (r *rig) options(c *config.Config) worker.Options {
	o := r.rdb.Options()
	return worker.Options{Config: c, Log: zerolog.New(&r.log), Redis: func(n int) redis.UniversalClient {
		return redis.NewClient(&redis.Options{Addr: o.Addr, DB: o.DB, PoolSize: n})
	}}
}

// start starts the worker. It is stopped at the end of the test if it still runs.
func (r *rig) start(c *config.Config) {
	r.Helper()
	r.startWith(r.options(c))
}

func (r *rig) startWith(o worker.Options) {
	r.Helper()
	var err error
	r.worker, err = worker.Start(r.Context(), o)
	r.must(err)
	r.stop = sync.OnceValue(r.worker.Stop)
	r.Cleanup(func() {
		if err := r.stop(); err != nil {
			r.Error(err)
		}
	})
}

func (r *rig) enqueue(id string, tokens ...string) {
	r.Helper()
	_, err := r.client.Enqueue(r.Context(), push.Job{
		ID: id, App: "shop", Message: push.Message{Title: "Shipped", Body: "Your order is on its way"},
		Targets: map[string][]string{"huawei": tokens},
	})
	r.must(err)
}

// ended waits until a job has ended.
func (r *rig) ended(id string) ledger.Status {
	r.Helper()
	var st ledger.Status
	r.eventually("job "+id+" has ended", func() bool {
		var err error
		st, err = r.book.Status(r.Context(), id)
		return err == nil && st.Ended()
	})
	return st
}

// eventually polls until ok returns true, for 20 s.
func (r *rig) eventually(what string, ok func() bool) {
	r.Helper()
	r.within(20*time.Second, what, ok)
}

// within polls until ok returns true, for at most limit.
func (r *rig) within(limit time.Duration, what string, ok func() bool) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-ctx.Done():
			r.Fatalf("not within %s: %s; the log is\n%s", limit, what, r.log.String())
		}
	}
}

// get calls the worker's server; without a password if user is "".
func (r *rig) get(path, user, password string) (status int, body string) {
	r.Helper()
	return r.call(http.MethodGet, path, user, password)
}

// call is get with any method.
func (r *rig) call(method, path, user, password string) (status int, body string) {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), method, r.worker.URL()+path, nil)
	r.must(err)
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	t := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: t}).Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	r.must(err)
	return resp.StatusCode, string(b)
}

// wantHidden fails if a text contains what must never be printed.
func (r *rig) wantHidden(what, text string, hidden ...string) {
	r.Helper()
	for _, h := range append(hidden, secret, otherSecret, password) {
		if strings.Contains(text, h) {
			r.Errorf("%s contains %q:\n%s", what, h, text)
		}
	}
}
