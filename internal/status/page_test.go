package status_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/limit"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/status"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

const token = "a-token-that-must-not-be-shown"

func render(t *testing.T, rdb redis.UniversalClient) (code int, text string) {
	t.Helper()
	h := status.Page{Redis: rdb, Log: zerolog.Nop(), Accounts: func() []*account.Account {
		return []*account.Account{{App: "shop", Spec: vendors.Spec{Name: "vivo", Unit: vendors.Messages}, Rate: 3000}}
	}}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/postrider", nil))
	if got := w.Header().Get("Content-Type"); got != "text/html; charset=utf-8" {
		t.Errorf("the type is %q", got)
	}
	if got := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; style-src 'unsafe-inline';") {
		t.Errorf("the policy is %q", got)
	}
	return w.Code, w.Body.String()
}

func has(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("the page does not show %q", w)
		}
	}
}

func hasNot(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if strings.Contains(text, w) {
			t.Errorf("the page shows %q", w)
		}
	}
}

func TestAnEmptyPage(t *testing.T) {
	t.Parallel()
	code, text := render(t, redistest.Client(t))
	if code != 200 {
		t.Errorf("status %d", code)
	}
	has(t, text, "vivo:high", "3\u202f000 messages/s", "sending", "None.", "prefers-color-scheme: dark", "</html>")
	hasNot(t, text, "Quarantined invalid tokens", "http://", "https://", "<script", "ZgotmplZ")
}

func TestThePageShowsTheStateAndNoToken(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	client, err := push.NewClient(rdb, push.Options{Vendors: registry.ForClient()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Enqueue(t.Context(), push.Job{
		ID: "order-42", App: "shop", Message: push.Message{Title: "a title", Body: "b"}, Targets: map[string][]string{"vivo": {token, "t2"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	limiter, k := &limit.Limiter{Redis: rdb}, limit.Key{App: "shop", Vendor: "vivo"}
	if _, _, err := limiter.Stop(t.Context(), k, limit.Halt{Kind: limit.Misconfigured, Reason: `vivo/auth/10206: <script>alert(1)</script>`}); err != nil {
		t.Fatal(err)
	}
	if _, err := limiter.Pause(t.Context(), k, "system", time.Now().Add(time.Hour), "used up"); err != nil {
		t.Fatal(err)
	}
	rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: "postrider:dead", Values: []any{
		"v", 2, "app", "shop", "vendor", "vivo", "job", "j", "code", "vivo/http/500", "reason", "attempts", "detail", "said " + token, "attempts", 8,
		"tokens", token + "\nother",
	}})
	for range 2 {
		rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: "postrider:dead", Values: []any{
			"app", "shop", "vendor", "vivo", "job", "j", "code", "vivo/http/500", "reason", "attempts: said " + token, "attempts", 8, "tokens", token + "\nother",
		}}) // of version 1
	}
	for range 150 {
		rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: "postrider:invalid:held", Values: []any{"app", "<b>shop", "vendor", "oppo", "code", "oppo/token/10000", "token", token}})
	}
	_, text := render(t, rdb)
	has(t, text,
		"order-42", "running", // the job
		"config", "&lt;script&gt;alert(1)&lt;/script&gt;", "quota: system", "used up", // what delays it
		"attempts", "vivo/http/500", `<td class="n">3</td><td class="n">6</td>`, // dead letters
		"Quarantined invalid tokens", "150 entries", "&lt;b&gt;shop", "oppo/token/10000", `<td class="n">100</td>`,
	)
	hasNot(t, text, token, "a title", "<script", "<b>shop")
}

func TestWithoutRedisThePageShowsAnError(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	server.Kill()
	code, text := render(t, client)
	if code != 503 {
		t.Errorf("status %d, want 503", code)
	}
	has(t, text, "Cannot be read:")
}
