package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// webhookReceiver records the tokens that it gets.
type webhookReceiver struct {
	mu     sync.Mutex
	tokens []string
}

func (h *webhookReceiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var v struct{ Entries []feed.Entry }
	_ = json.NewDecoder(r.Body).Decode(&v)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range v.Entries {
		h.tokens = append(h.tokens, e.Token)
	}
	w.WriteHeader(http.StatusOK)
}

func (h *webhookReceiver) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.tokens)
}

func TestMassInvalidationIsQuarantinedUntilItIsConfirmed(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	hook := &webhookReceiver{}
	server := httptest.NewServer(hook)
	t.Cleanup(server.Close)
	cfg := r.config("100001", secret)
	cfg.Feedback.Webhook = config.Webhook{URL: vendors.NewSecret(server.URL), Secret: vendors.NewSecret("secret-of-the-webhook")}
	r.start(cfg)
	bad := make([]string, 60)
	for i := range bad {
		bad[i] = fmt.Sprint("bad-token-of-a-phone-", i)
	}
	r.enqueue("mass", bad...)
	if st := r.ended("mass"); st.Invalid != 60 {
		t.Errorf("got %+v, want 60 invalid", st)
	}
	r.eventually("the metrics show it", func() bool {
		_, body := r.get("/metrics", "", "")
		return strings.Contains(body, "postrider_invalid_held_entries 60") && strings.Contains(body, "postrider_invalid_feed_entries 0") &&
			strings.Contains(body, `postrider_invalid_entries_total{app="shop",to="held",vendor="huawei"} 60`)
	})
	if n := strings.Count(r.log.String(), `"level":"error"`); n != 1 || hook.count() != 0 {
		t.Errorf("%d alarms, want one, and %d entries at the webhook, want none:\n%s", n, hook.count(), r.log.String())
	}
	quarantine := feed.Quarantine{Redis: r.rdb, Keep: cfg.Ledger.Keep}
	if n, err := quarantine.Confirm(t.Context(), wire.EntryFilter{App: "shop"}); n != 60 || err != nil {
		t.Errorf("confirmed %d, %v", n, err)
	}
	r.eventually("the webhook gets the entries", func() bool { return hook.count() == 60 })
	// A reload without an address switches the webhook off.
	r.must(r.worker.Reload(t.Context(), r.config("100001", secret)))
	r.eventually("the worker gives up the leadership of the webhook", func() bool { return r.rdb.Exists(context.Background(), wire.WebhookLeaderKey).Val() == 0 })
	r.wantHidden("the log", r.log.String(), "token-of-a-phone", "secret-of-the-webhook", server.URL)
}

const oppoSettings = `
redis: {url: %q}
http: {listen: "127.0.0.1:0"}
worker: {shutdown_timeout: 15s}
apps:
  shop:
    oppo: {app_key: "100001", master_secret: demo-secret, base_url: %q, feedback_url: %[2]q, rate: 0}
`

func TestAWorkerPullsTheListOfInvalidTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	cfg, err := config.Parse("test.yaml", fmt.Appendf(nil, oppoSettings, redistest.URL(r.rdb), r.url), registry.All(), config.Source{})
	r.must(err)
	r.start(cfg)
	r.eventually("the list was pulled", func() bool { return r.rdb.HExists(t.Context(), wire.PullKey("shop", "oppo"), "done").Val() })
	if n := r.sim.Report().Vendors["oppo"].Endpoints["invalid"]; n != 1 {
		t.Errorf("%d requests, want one, which returns the end of the list", n)
	}
	_, body := r.get("/metrics", "", "")
	if !strings.Contains(body, `postrider_pulls_total{app="shop",result="ok",vendor="oppo"} 1`) {
		t.Error("the metrics do not count the pull")
	}
	r.must(r.stop())
	if n := r.rdb.Exists(t.Context(), wire.PullLeaderKey).Val(); n != 0 {
		t.Error("a worker that stopped still has the leadership")
	}
}
