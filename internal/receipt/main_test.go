package receipt_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/receipt"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/huawei"
	"github.com/postrider/postrider/pkg/vendors/registry"
	"github.com/postrider/postrider/pkg/vendors/tim"
)

func TestMain(m *testing.M) { redistest.Main(m) }

const (
	secret = "a secret/of ours"
	tag    = "00112233445566778899aabbccddeeff"
)

// rig is a Redis, the handler, and what a consumer needs.
type rig struct {
	*testing.T
	rdb    *redis.Client
	now    time.Time
	cfg    receipt.Config
	meter  *meter
	book   *ledger.Store
	client *push.Client
	mux    *http.ServeMux
	log    bytes.Buffer // what the handler logs
}

// lines returns the lines of the log.
func (r *rig) lines() []string { return strings.Split(strings.TrimSpace(r.log.String()), "\n") }

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, rdb: redistest.Client(t), now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), meter: &meter{sums: map[string]int{}}}
	r.book = &ledger.Store{Redis: r.rdb}
	r.cfg = receipt.Config{
		Store: &receipt.Store{Redis: r.rdb}, Find: find, Meter: r.meter, Log: zerolog.New(&r.log), Now: func() time.Time { return r.now },
	}
	var err error
	r.client, err = push.NewClient(r.rdb, push.Options{Vendors: []push.Vendor{{Name: "huawei", Batch: 1000}, {Name: "xiaomi", Batch: 1000}}})
	r.must(err)
	r.mux = http.NewServeMux()
	h := receipt.NewHandler(r.cfg)
	r.mux.Handle("/receipts/{app}/{vendor}", h)
	r.mux.Handle("/receipts/{app}/{vendor}/{secret}", h)
	return r
}

// find knows the app shop at every vendor, and the app shy, which accepts no receipts.
func find(app, vendor string) (*account.Account, bool) {
	spec, ok := registry.Find(vendor)
	if !ok || app != "shop" && app != "shy" {
		return nil, false
	}
	a := &account.Account{
		App: app, Spec: spec, Codes: spec.Codes, Settings: spec.Settings(), Receipts: config.Receipts{User: "receipts", Secret: vendors.NewSecret(secret)},
	}
	if app == "shy" {
		a.Receipts = config.Receipts{}
	}
	switch s := a.Settings.(type) {
	case *tim.Settings:
		s.SDKAppID = 1400000001
	case *huawei.Settings:
		s.ClientID = "100000001"
	}
	return a, true
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// post calls the handler and returns status and body.
func (r *rig) post(path, body string, headers ...string) (int, string) {
	r.Helper()
	req := httptest.NewRequestWithContext(r.Context(), http.MethodPost, path, strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	r.mux.ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

// deliver posts a receipt, which must be accepted.
func (r *rig) deliver(vendor, body string) {
	r.Helper()
	if status, text := r.post("/receipts/shop/"+vendor+"/a%20secret%2Fof%20ours", body); status != http.StatusOK {
		r.Fatalf("got %d %s, want 200", status, text)
	}
}

// enqueue enqueues jobs and stores that they were sent with the tag.
func (r *rig) enqueue(vendor string, jobs map[string][]string) {
	r.Helper()
	sent := dispatch.Sent{App: "shop", Vendor: vendor, Tag: tag, For: time.Hour, Tokens: map[string]string{}}
	for id, tokens := range jobs {
		_, err := r.client.Enqueue(r.Context(), push.Job{
			ID: id, App: "shop", Message: push.Message{Title: "title", Body: "body"}, Targets: map[string][]string{vendor: tokens},
		})
		r.must(err)
		for _, t := range tokens {
			sent.Tokens[t] = id
		}
	}
	r.must(r.cfg.Store.Note(r.Context(), []dispatch.Sent{sent}))
}

// drain runs a consumer until the stream is empty.
func (r *rig) drain() {
	r.Helper()
	stop := r.start()
	r.await("the stream is empty", func() bool { return r.rdb.XLen(r.Context(), wire.ReceiptStream).Val() == 0 })
	stop()
}

// start runs a consumer and returns a function that stops it.
func (r *rig) start() (stop func()) {
	ctx, cancel := context.WithCancel(r.Context())
	var wg sync.WaitGroup
	c := &receipt.Consumer{Config: r.cfg, Ledger: r.book}
	wg.Go(func() { c.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
	})
	r.Cleanup(stop)
	return stop
}

func (r *rig) await(what string, ok func() bool) {
	r.Helper()
	again, limit := time.NewTicker(2*time.Millisecond), time.After(time.Minute)
	defer again.Stop()
	for !ok() {
		select {
		case <-again.C:
		case <-limit:
			r.Fatal("not within a minute: " + what)
		}
	}
}

// want checks a job's receipts.
func (r *rig) want(job string, arrived, clicked, failed int) {
	r.Helper()
	st, err := r.book.Status(r.Context(), job)
	r.must(err)
	got := st.Receipts
	if got == nil {
		got = &ledger.Receipts{}
	}
	if want := (ledger.Receipts{Arrived: arrived, Clicked: clicked, Failed: failed}); *got != want {
		r.Errorf("job %s: receipts are %+v, want %+v", job, *got, want)
	}
	if sum := st.Delivered + st.Invalid + st.Dropped + st.Expired + st.Dead + st.Canceled + st.Pending; sum != st.Accepted {
		r.Errorf("job %s does not balance: %+v", job, st)
	}
}

// feed returns the feed's entries as "app vendor token code action replacement job at".
func (r *rig) feed() []string {
	r.Helper()
	all, err := r.rdb.XRange(r.Context(), wire.InvalidStream, "-", "+").Result()
	r.must(err)
	out := make([]string, len(all))
	for i, e := range all {
		v := e.Values
		if v["replacement"] == nil {
			v["replacement"] = "-"
		}
		out[i] = fmt.Sprint(v["app"], " ", v["vendor"], " ", v["token"], " ", v["code"], " ", v["action"], " ", v["replacement"], " ", v["job"], " ", v["at"])
	}
	return out
}

func (r *rig) wantFeed(want ...string) {
	r.Helper()
	if got := r.feed(); !slices.Equal(got, want) {
		r.Errorf("the feed has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

type meter struct {
	mu               sync.Mutex
	sums             map[string]int
	fed, quarantined int
}

func (m *meter) Invalid(_, _ string, n int, quarantined bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if quarantined {
		m.quarantined += n
	} else {
		m.fed += n
	}
}

func (m *meter) Refused(vendor, reason string) { m.Receipt("refused", vendor, reason, 1) }

func (m *meter) Receipt(app, vendor, event string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sums[app+" "+vendor+" "+event] += n
}

func (m *meter) want(t *testing.T, want map[string]int) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !maps.Equal(m.sums, want) {
		t.Errorf("counted %v, want %v", m.sums, want)
	}
}
