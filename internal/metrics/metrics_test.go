package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/metrics"
	"github.com/postrider/postrider/internal/status"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

const table = `level	code	class	remedy	scope	tries	action	bucket	window	meaning	source
response	ok	success	none	batch	-	-	-	-	accepted	-
response	busy	retryable	backoff	batch	-	-	-	-	internal error	-
`

func newAccount() *account.Account {
	return &account.Account{App: "shop", Spec: vendors.Spec{Name: "nova"}, Codes: classify.MustParse("nova", table)}
}

// lines returns the scraped lines, without those of Go and the process.
func lines(t *testing.T, m *metrics.Metrics) []string {
	t.Helper()
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	var all []string
	for line := range strings.Lines(rec.Body.String()) {
		if strings.HasPrefix(line, "postrider_") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

// want checks that every line is scraped.
func want(t *testing.T, m *metrics.Metrics, wanted ...string) {
	t.Helper()
	all := "\n" + strings.Join(lines(t, m), "\n") + "\n"
	for _, l := range wanted {
		if !strings.Contains(all, "\n"+l+"\n") {
			t.Errorf("%s is missing in%s", l, all)
		}
	}
}

// A rate over a series that does not exist yet would miss its first increase.
func TestEverySeriesOfAnAccountExistsFromTheStart(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	m.Prepare("shop", "nova")
	for _, o := range wire.Outcomes() {
		want(t, m, fmt.Sprintf(`postrider_tokens_total{app="shop",outcome="%s",vendor="nova"} 0`, o))
	}
	for _, r := range []string{"backoff", "refresh-auth", "slow-down", "wait-quota", "split", "config"} {
		want(t, m, fmt.Sprintf(`postrider_tokens_again_total{app="shop",remedy="%s",vendor="nova"} 0`, r))
	}
	want(t, m, `postrider_requested_tokens_total{app="shop",vendor="nova"} 0`)
	for _, r := range []string{"unproven", "unreadable", "too-long", "not-kept"} {
		want(t, m, fmt.Sprintf(`postrider_receipts_refused_total{reason="%s",vendor="nova"} 0`, r))
	}
	m.Refused("nova", "unproven")
	want(t, m, `postrider_receipts_refused_total{reason="unproven",vendor="nova"} 1`)
}

func TestRequestsAndTokensAreCounted(t *testing.T) {
	t.Parallel()
	m, a := metrics.New(), newAccount()
	ok, _ := a.Codes.Lookup(classify.Response, "ok")
	busy, _ := a.Codes.Lookup(classify.Response, "busy")
	m.Request(a, ok, 1000, 30*time.Millisecond)
	m.Request(a, busy, 500, 3*time.Second)
	m.Request(a, ok, 500, 30*time.Millisecond)
	m.Again("shop", "nova", busy.Remedy, 500)
	m.Outcome("shop", "nova", wire.Delivered, 1500)
	want(t, m,
		`postrider_requests_total{app="shop",class="success",code="ok",level="response",vendor="nova"} 2`,
		`postrider_requests_total{app="shop",class="retryable",code="busy",level="response",vendor="nova"} 1`,
		`postrider_requested_tokens_total{app="shop",vendor="nova"} 2000`,
		`postrider_tokens_again_total{app="shop",remedy="backoff",vendor="nova"} 500`,
		`postrider_tokens_total{app="shop",outcome="delivered",vendor="nova"} 1500`,
		`postrider_request_seconds_bucket{vendor="nova",le="0.05"} 2`,
		`postrider_request_seconds_bucket{vendor="nova",le="5"} 3`,
		`postrider_request_seconds_count{vendor="nova"} 3`,
	)
}

// An unknown code, which a vendor may fill with any text, gets no series of its own.
func TestUnknownCodesShareASeries(t *testing.T) {
	t.Parallel()
	m, a := metrics.New(), newAccount()
	for i := range 1000 {
		row, _ := a.Codes.Lookup(classify.Response, fmt.Sprint("token-of-a-phone-", i))
		m.Request(a, row, 1, time.Millisecond)
	}
	want(t, m, `postrider_requests_total{app="shop",class="retryable",code="unknown",level="response",vendor="nova"} 1000`)
	if all := lines(t, m); len(all) > 24 || strings.Contains(strings.Join(all, ""), "token-of-a-phone") {
		t.Errorf("%d lines: %q", len(all), all)
	}
}

// HTTP statuses are classified by family, and their number is bounded.
func TestStatusesAreBounded(t *testing.T) {
	t.Parallel()
	m, a := metrics.New(), newAccount()
	for i := range 3000 {
		row, _ := a.Codes.Lookup(classify.HTTP, fmt.Sprint(i))
		m.Request(a, row, 1, time.Millisecond)
	}
	n := 0
	for _, l := range lines(t, m) {
		if strings.HasPrefix(l, "postrider_requests_total") {
			n++
		}
	}
	if n > 501 {
		t.Errorf("%d series of requests, want at most 500 statuses and unknown", n)
	}
}

func TestGaugesShowStopsAndPauses(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	var fails error
	until := time.Unix(1_800_000_000, 0)
	m.Watch(func(context.Context) (map[string][]status.App, error) {
		return map[string][]status.App{"nova": {{App: "shop", Factor: 0.5, AllParked: 3, Pauses: []status.Pause{
			{Kind: "config", State: status.Probing, Until: until},
			{Kind: "quota", Bucket: "channel:any text", Until: until},
			{Kind: "quota", Bucket: "channel:of a job", Until: until.Add(time.Hour)},
		}}, {App: "bank", Factor: 1}}}, fails
	})
	want(t, m,
		`postrider_limits_readable 1`,
		`postrider_rate_factor{app="shop",vendor="nova"} 0.5`, `postrider_parked_jobs{app="shop",vendor="nova"} 3`,
		`postrider_rate_factor{app="bank",vendor="nova"} 1`,
		`postrider_stopped{app="shop",kind="config",vendor="nova"} 1`,
		`postrider_stopped{app="shop",kind="circuit",vendor="nova"} 0`,
		`postrider_stopped{app="bank",kind="config",vendor="nova"} 0`,
		`postrider_paused_until_seconds{app="shop",bucket="channel",vendor="nova"} 1.8000036e+09`,
	)
	if text := strings.Join(lines(t, m), "\n"); strings.Contains(text, "any text") || strings.Contains(text, `paused_until_seconds{app="bank"`) {
		t.Errorf("unbounded or unwanted labels:\n%s", text)
	}
	fails = errors.New("redis cannot be reached")
	want(t, m, `postrider_limits_readable 0`)
}

func TestGrantsAndStopsAreCounted(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	m.Prepare("shop", "nova")
	want(t, m, `postrider_grants_total{app="shop",result="refused",vendor="nova"} 0`, `postrider_stops_total{app="shop",kind="circuit",vendor="nova"} 0`)
	m.Stopped("shop", "nova", "circuit")
	m.Grant("shop", "nova", nil)
	m.Grant("shop", "nova", &vendors.Error{Code: classify.Code{Level: classify.Auth, Code: "1101"}})
	m.Grant("shop", "nova", &vendors.Error{Code: classify.Code{Level: classify.Transport, Code: classify.Timeout}})
	want(t, m,
		`postrider_stops_total{app="shop",kind="circuit",vendor="nova"} 1`,
		`postrider_grants_total{app="shop",result="granted",vendor="nova"} 1`,
		`postrider_grants_total{app="shop",result="refused",vendor="nova"} 1`,
		`postrider_grants_total{app="shop",result="unreachable",vendor="nova"} 1`,
	)
}
