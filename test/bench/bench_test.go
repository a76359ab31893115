package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/demo"
	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue/baseline"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/internal/worker"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/httpx"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// tokenBytes is the length of Huawei's tokens.
const tokenBytes = 130

// scale returns n for a full run, or a tenth of it for -short.
func scale(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// rig has a redis-server, a vendor and a client.
type rig struct {
	b      *testing.B
	rdb    *redis.Client
	vendor string
	cfg    *config.Config
	client *push.Client
	book   ledger.Store
}

const settings = `
redis: {url: %q}
http: {listen: "127.0.0.1:0"}
apps:
  bench:
    huawei: {client_id: "100001", client_secret: demo-secret, base_url: %q, auth_url: "%[2]s/oauth2/v3/token", rate: 0}
`

func newRig(b *testing.B, o simulator.Options) *rig {
	b.Helper()
	s := &rig{b: b, rdb: redistest.Start(b).Client(b)}
	sim := simulator.New(o)
	url, stop, err := sim.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = stop(context.WithoutCancel(b.Context())) })
	s.point(url)
	return s
}

// point configures Huawei at url.
func (s *rig) point(url string) {
	s.b.Helper()
	s.vendor = url
	s.configure(fmt.Sprintf(settings, redistest.URL(s.rdb), url))
}

// pointAll configures all vendors at url, so that all lanes run.
func (s *rig) pointAll(url string) {
	s.b.Helper()
	s.vendor = url
	s.configure(strings.NewReplacer("redis://127.0.0.1:6379/0", redistest.URL(s.rdb),
		"  demo:", "  bench:", "    huawei:\n", "    huawei:\n      rate: 0\n").Replace(demo.Settings(url, "127.0.0.1:0")))
}

func (s *rig) configure(text string) {
	b := s.b
	b.Helper()
	var err error
	if s.cfg, err = config.Parse("bench.yaml", []byte(text), registry.All(), config.Source{}); err != nil {
		b.Fatal(err)
	}
	if s.client, err = push.NewClient(s.rdb, push.Options{Vendors: registry.ForClient(), Apps: s.cfg.ForClient()}); err != nil {
		b.Fatal(err)
	}
	s.book = ledger.Store{Redis: s.rdb}
}

// startWorker starts a worker and returns a function that stops it.
func (s *rig) startWorker() func() {
	s.b.Helper()
	o := s.rdb.Options()
	w, err := worker.Start(s.b.Context(), worker.Options{Config: s.cfg, Log: zerolog.Nop(), Redis: func(n int) redis.UniversalClient {
		return redis.NewClient(&redis.Options{Addr: o.Addr, DB: o.DB, PoolSize: n})
	}})
	if err != nil {
		s.b.Fatal(err)
	}
	return func() {
		if err := w.Stop(); err != nil {
			s.b.Error(err)
		}
	}
}

// drain runs a worker until done returns true, and returns how long that took.
func (s *rig) drain(done func() bool) time.Duration {
	s.b.Helper()
	start := time.Now()
	stop := s.startWorker()
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for !done() {
		select {
		case <-t.C:
		case <-s.b.Context().Done():
			s.b.Fatal("stopped")
		}
	}
	took := time.Since(start)
	stop()
	return took
}

// empty reports whether no task is left in Huawei's lanes.
func (s *rig) empty() bool {
	ctx := s.b.Context()
	var n int64
	for _, p := range push.Priorities() {
		q := "asynq:{huawei:" + string(p) + "}:"
		n += s.rdb.LLen(ctx, q+"pending").Val() + s.rdb.LLen(ctx, q+"active").Val() + s.rdb.ZCard(ctx, q+"retry").Val()
	}
	return n == 0
}

func (s *rig) must(err error) {
	s.b.Helper()
	if err != nil {
		s.b.Fatal(err)
	}
}

// targets returns a CSV of n targets at Huawei.
func targets(n int) []byte {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	rnd := rand.New(rand.NewPCG(1, 1))
	var b bytes.Buffer
	b.WriteString("vendor,token\n")
	for range n {
		b.WriteString("huawei,")
		for range tokenBytes {
			b.WriteByte(letters[rnd.IntN(len(letters))])
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func message(i int) push.Message {
	return push.Message{Title: "Shipped", Body: fmt.Sprintf("Your order %d is on its way", i)}
}

// enqueueFile enqueues a CSV as one job.
func (s *rig) enqueueFile(id string, csv []byte) time.Duration {
	s.b.Helper()
	start := time.Now()
	st, err := s.client.Open(push.Job{ID: id, App: "bench", Priority: push.Bulk, Message: message(0)})
	s.must(err)
	s.must(intake.Targets(bytes.NewReader(csv), func(line int, _, token []byte) error {
		return st.Add(s.b.Context(), line, "huawei", token)
	}))
	_, err = st.Commit(s.b.Context())
	s.must(err)
	return time.Since(start)
}

// BenchmarkCampaign enqueues one job of a million tokens from a CSV and drains it. It
// compares with asynq draining the same number of no-op tasks that contain the
// tokens, and with a loop that posts the same number of prepared bodies to the vendor.
func BenchmarkCampaign(b *testing.B) {
	n := scale(1_000_000)
	csv := targets(n)
	for b.Loop() {
		s := newRig(b, simulator.Options{Sink: true})
		before := s.memory()
		enqueue := s.enqueueFile("campaign", csv)
		memory := float64(s.memory()-before) / float64(n*tokenBytes)
		drain := s.drain(func() bool {
			st, err := s.book.Status(b.Context(), "campaign")
			s.must(err)
			return st.Ended()
		})
		payload := csv[len("vendor,token\n"):][:1000*(tokenBytes+1)]
		_, noop, err := baseline.Noop(b.Context(), s.rdb, n/1000, payload, 64)
		s.must(err)
		bare := s.bare(n/1000, payload)
		rate := func(d time.Duration) float64 { return float64(n) / d.Seconds() }
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(rate(enqueue), "enqueued-tokens/s")
		b.ReportMetric(rate(drain), "drained-tokens/s")
		b.ReportMetric(rate(drain)/rate(noop), "x-asynq-noop")
		b.ReportMetric(rate(drain)/rate(bare), "x-bare-http")
		b.ReportMetric(memory, "redis-bytes/token-byte")
	}
}

func (s *rig) memory() int64 {
	var n int64
	for line := range strings.Lines(s.rdb.Info(s.b.Context(), "memory").Val()) {
		_, _ = fmt.Sscanf(line, "used_memory:%d", &n)
	}
	return n
}

// bare posts n prepared bodies from one client with 64 connections.
func (s *rig) bare(n int, tokens []byte) time.Duration {
	s.b.Helper()
	body := []byte(`{"message":{"token":["` + strings.ReplaceAll(string(tokens), "\n", `","`) + `"]}}`)
	client := httpx.NewClient(64)
	work := make(chan struct{})
	fault := make(chan error, 64)
	start := time.Now()
	for range 64 {
		go func() {
			for range work {
				if err := s.post(client, body); err != nil {
					fault <- err
					return
				}
			}
			fault <- nil
		}()
	}
	for range n {
		work <- struct{}{}
	}
	close(work)
	for range 64 {
		s.must(<-fault)
	}
	return time.Since(start)
}

func (s *rig) post(client *http.Client, body []byte) error {
	req, err := http.NewRequestWithContext(s.b.Context(), http.MethodPost, s.vendor+"/v1/100001/messages:send", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return err
}

// singles returns n jobs of one token each.
func singles(n int, m func(int) push.Message) []push.Job {
	jobs := make([]push.Job, n)
	for i := range jobs {
		jobs[i] = push.Job{
			ID: fmt.Sprintf("single-%d", i), App: "bench", Message: m(i),
			Targets: map[string][]string{"huawei": {fmt.Sprintf("%0*d", tokenBytes, i)}},
		}
	}
	return jobs
}

// BenchmarkSingles drains jobs of one token with different messages: first with one
// task each, then packed by the client. It compares with asynq draining the same
// number of no-op tasks.
func BenchmarkSingles(b *testing.B) {
	n := scale(100_000)
	jobs := singles(n, message)
	for b.Loop() {
		s := newRig(b, simulator.Options{Sink: true})
		single := n / 5
		start := time.Now()
		for _, j := range jobs[:single] {
			_, err := s.client.Enqueue(b.Context(), j)
			s.must(err)
		}
		enqueueSingle := time.Since(start)
		drainSingle := s.drain(s.empty)

		s.must(s.rdb.FlushDB(b.Context()).Err())
		start = time.Now()
		for part := range chunks(jobs, 2000) {
			for _, o := range s.client.EnqueueMany(b.Context(), part) {
				s.must(o.Err)
			}
		}
		enqueuePacked := time.Since(start)
		drainPacked := s.drain(s.empty)
		enqueueNoop, drainNoop, err := baseline.Noop(b.Context(), s.rdb, n, make([]byte, 200), 64)
		s.must(err)

		per := func(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(per(single, enqueueSingle), "enqueued-single/s")
		b.ReportMetric(per(single, drainSingle), "drained-single/s")
		b.ReportMetric(per(single, drainSingle)/per(n, drainNoop), "single-x-asynq-noop")
		b.ReportMetric(per(n, enqueuePacked), "enqueued-packed/s")
		b.ReportMetric(per(n, enqueuePacked)/per(n, enqueueNoop), "enqueued-packed-x-asynq")
		b.ReportMetric(per(n, drainPacked), "drained-packed/s")
		b.ReportMetric(per(n, drainPacked)/per(n, drainNoop), "packed-x-asynq-noop")
		b.ReportMetric(per(n, drainNoop), "asynq-noop/s")
	}
}

func chunks(jobs []push.Job, n int) func(func([]push.Job) bool) {
	return func(yield func([]push.Job) bool) {
		for len(jobs) > 0 {
			part := jobs[:min(n, len(jobs))]
			jobs = jobs[len(part):]
			if !yield(part) {
				return
			}
		}
	}
}
