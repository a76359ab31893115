package feed_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/accesstoken"
	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/simulator"
	player "github.com/postrider/postrider/internal/simulator/oppo"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/oppo"
)

const secret = "secret-of-the-vendor"

// rig has the simulated OPPO, whose list has some ids, and a puller.
type rig struct {
	*testing.T
	rdb    *redis.Client
	sim    *simulator.Simulator
	puller *feed.Puller
	acct   *account.Account
	now    time.Time
	atPage func() // called before each request for a page

	mu               sync.Mutex
	log              bytes.Buffer
	ok, failed, lost int
	fed, quarantined int
}

func newRig(t *testing.T, ids int) *rig {
	t.Helper()
	r := &rig{T: t, rdb: redistest.Client(t), now: time.Now().Truncate(time.Millisecond), atPage: func() {}}
	r.sim = simulator.New(simulator.Options{
		Credentials: map[string][]simulator.Credential{"oppo": {{App: "100001", Secret: secret}}},
	}, player.New(player.Options{InvalidIDs: listed(ids)}))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/fetch_invalid_regidList") {
			r.atPage()
		}
		r.sim.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	r.puller = &feed.Puller{
		Redis: r.rdb, Access: &accesstoken.Store{Redis: r.rdb}, Meter: r, Log: zerolog.New(r), Now: func() time.Time { return r.now },
		Feed: &ledger.Store{Redis: r.rdb, Guard: ledger.Guard{Min: 20, Ratio: 0.9}},
	}
	s := &oppo.Settings{AppKey: "100001", MasterSecret: vendors.NewSecret(secret), BaseURL: server.URL, FeedbackURL: server.URL}
	v := s.Open(server.Client())
	r.acct = &account.Account{
		App: "shop", Spec: oppo.Spec(), Vendor: v, Fingerprint: "print", Codes: oppo.Spec().Codes, Timeout: 10 * time.Second,
	}
	return r
}

func listed(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("CN_%05d", i)
	}
	return all
}

func (r *rig) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func (r *rig) Pulled(_, _ string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ok {
		r.ok++
	} else {
		r.failed++
	}
}

func (r *rig) Invalid(_, _ string, n int, quarantined bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if quarantined {
		r.quarantined += n
	} else {
		r.fed += n
	}
}

func (r *rig) Lost(_, _ string, n int) { r.mu.Lock(); defer r.mu.Unlock(); r.lost += n }

func (r *rig) due() { r.puller.Due(r.Context(), r.acct) }

// tokens returns the tokens of a stream.
func (r *rig) tokens(stream string) []string {
	r.Helper()
	var all []string
	for _, m := range r.rdb.XRange(r.Context(), stream, "-", "+").Val() {
		all = append(all, fmt.Sprint(m.Values["token"]))
	}
	return all
}

// requests counts the requests to an endpoint.
func (r *rig) requests(endpoint string) int {
	return int(r.sim.Report().Vendors["oppo"].Endpoints[endpoint])
}

func (r *rig) fault(f simulator.Fault) {
	r.Helper()
	if err := r.sim.SetFaults([]simulator.Fault{f}); err != nil {
		r.Fatal(err)
	}
}

func TestEachPageIsStoredBeforeTheNextIsRequested(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1203)
	var stored []int64
	r.atPage = func() { stored = append(stored, r.rdb.XLen(context.Background(), wire.InvalidStream).Val()) }
	r.due()
	if want := []int64{0, 500, 1000, 1203}; !slices.Equal(stored, want) {
		t.Errorf("at the requests for pages the feed had %v entries, want %v", stored, want)
	}
	if got := r.tokens(wire.InvalidStream); !slices.Equal(got, listed(1203)) || r.ok != 4 || r.fed != 1203 {
		t.Errorf("%d tokens in the feed after %d pages, %d counted", len(got), r.ok, r.fed)
	}
	e := r.rdb.XRangeN(t.Context(), wire.InvalidStream, "-", "+", 1).Val()[0].Values
	for k, want := range map[string]string{
		"app": "shop", "vendor": "oppo", "code": "oppo/receipt/regid_invalid", "action": "delete", "job": "",
		"reason": "on OPPO's list of invalid registration ids",
	} {
		if e[k] != want {
			t.Errorf("%s is %q, want %q", k, e[k], want)
		}
	}
	report := r.sim.Report().Vendors["oppo"]
	if report.ViolationCount != 0 || r.requests("token") != 1 {
		t.Errorf("%d grants, violations %v", r.requests("token"), report.Violations)
	}
	if strings.Contains(r.log.String(), "CN_") {
		t.Errorf("the log contains a token: %s", r.log.String())
	}
}

func TestAListIsPulledOnceAnHour(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3)
	for range 3 {
		r.due()
	}
	if n := r.requests("invalid"); n != 2 {
		t.Errorf("%d requests, want one for a page and one for the end", n)
	}
	first := r.now
	r.now = r.now.Add(time.Hour)
	r.due()
	if n := r.requests("invalid"); n != 3 {
		t.Errorf("%d requests, want one more after an hour", n)
	}
	// Tokens that are listed now became invalid after the last pull.
	r.now = r.now.Add(time.Hour)
	r.acct.Vendor = pages{{"late"}}.vendor(r.acct.Vendor)
	r.due()
	e := r.rdb.XRevRangeN(t.Context(), wire.InvalidStream, "+", "-", 1).Val()[0].Values
	if at, _ := time.Parse(time.RFC3339, fmt.Sprint(e["at"])); e["token"] != "late" || !at.Equal(first.Add(time.Hour)) {
		t.Errorf("got %v, want it invalid since %v", e, first.Add(time.Hour))
	}
}

// pages are the pages of a list.
type pages [][]string

func (p pages) vendor(of vendors.Vendor) vendors.Vendor {
	return &pagePuller{Vendor: of, Granter: of.(vendors.Granter), left: p}
}

type pagePuller struct {
	vendors.Vendor
	vendors.Granter
	left pages
}

func (*pagePuller) HasList() bool { return true }
func (p *pagePuller) FetchList(context.Context, string) (vendors.ListPage, error) {
	got := vendors.ListPage{Code: oppoCode}
	if len(p.left) > 0 {
		got.Tokens, p.left = p.left[0], p.left[1:]
	}
	return got, nil
}

var oppoCode = classify.Code{Level: classify.Receipt, Code: "regid_invalid"}

func TestAFailureIsLoggedOnceAndRetriedWithGrowingWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3)
	r.fault(simulator.Fault{Endpoint: "invalid", Status: 500})
	for i, wait := range []time.Duration{0, time.Minute, 2 * time.Minute, 4 * time.Minute} {
		if i > 0 {
			r.now = r.now.Add(wait - time.Millisecond)
			r.due()
			if n := r.requests("invalid"); n != i {
				t.Fatalf("%d requests, want %d: it did not wait", n, i)
			}
			r.now = r.now.Add(time.Millisecond)
		}
		r.due()
		if n := r.requests("invalid"); n != i+1 {
			t.Fatalf("%d requests, want %d", n, i+1)
		}
	}
	if log := r.log.String(); strings.Count(log, `"level":"error"`) != 1 || r.failed != 4 {
		t.Errorf("%d failures, want 4, logged once:\n%s", r.failed, log)
	}
	if err := r.sim.SetFaults(nil); err != nil {
		t.Fatal(err)
	}
	r.now = r.now.Add(time.Hour)
	r.due()
	if got := r.tokens(wire.InvalidStream); !slices.Equal(got, listed(3)) {
		t.Errorf("the feed has %q", got)
	}
}

func TestARefusedAccessTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3)
	r.puller.Access = &stale{real: r.puller.Access}
	r.due()
	if got := r.tokens(wire.InvalidStream); !slices.Equal(got, listed(3)) || r.failed != 0 {
		t.Errorf("the feed has %q after %d failures", got, r.failed)
	}
	r.now = r.now.Add(time.Hour)
	r.puller.Access = &stale{real: r.puller.Access, always: true}
	before := r.requests("invalid")
	r.due()
	if n := r.requests("invalid") - before; n != 1 || r.failed != 1 {
		t.Errorf("%d requests and %d failures, want one of each: there is no other access token", n, r.failed)
	}
}

// stale returns an access token that the vendor does not know, until it is
// invalidated, or always.
type stale struct {
	real         accesstoken.Source
	always, over bool
}

func (s *stale) Access(ctx context.Context, app, vendor string, g vendors.Granter, print string) (string, error) {
	if !s.over {
		return "never-granted", nil
	}
	return s.real.Access(ctx, app, vendor, g, print)
}

func (s *stale) Invalidate(context.Context, string, string, string) error {
	s.over = !s.always
	return nil
}

// unreachableFeed is a feed whose next calls fail; all of them if left is negative.
type unreachableFeed struct {
	real feed.Sink
	left int
}

func (a *unreachableFeed) Feed(ctx context.Context, f ledger.Found) (int, ledger.Standing, error) {
	if a.left != 0 {
		a.left--
		return 0, ledger.Fed, errors.New("connection refused")
	}
	return a.real.Feed(ctx, f)
}

func TestAPageIsStoredWhenRedisIsBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, 700)
	r.puller.Feed = &unreachableFeed{real: r.puller.Feed, left: 3}
	r.due()
	if got := r.tokens(wire.InvalidStream); !slices.Equal(got, listed(700)) || r.lost != 0 {
		t.Errorf("%d tokens in the feed and %d lost, want all 700", len(got), r.lost)
	}
	if n := strings.Count(r.log.String(), "waiting for redis"); n != 1 {
		t.Errorf("logged %d times, want once", n)
	}
}

func TestAStoppingWorkerStoresPulledTokensOrReportsThemAsLost(t *testing.T) {
	t.Parallel()
	t.Run("stored", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 1200)
		ctx, cancel := context.WithCancel(t.Context())
		r.atPage = cancel // during the request
		r.puller.Due(ctx, r.acct)
		if got := r.tokens(wire.InvalidStream); !slices.Equal(got, listed(500)) {
			t.Errorf("%d tokens in the feed, want the requested page", len(got))
		}
		r.atPage = func() {}
		r.due() // another worker
		if got := r.tokens(wire.InvalidStream); !slices.Equal(got, listed(1200)) {
			t.Errorf("%d tokens in the feed, want the rest too", len(got))
		}
	})
	t.Run("lost", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, 3)
		stopping := make(chan struct{})
		close(stopping)
		r.puller.Feed, r.puller.Stopping = &unreachableFeed{real: r.puller.Feed, left: -1}, stopping
		r.due()
		if r.lost != 3 || !strings.Contains(r.log.String(), "3 tokens") {
			t.Errorf("%d are counted as lost:\n%s", r.lost, r.log.String())
		}
	})
}

func TestPulledTokensAreQuarantinedByTheGuard(t *testing.T) {
	t.Parallel()
	r := newRig(t, 3)
	bad := ledger.Found{App: "shop", Vendor: "oppo", Answered: 20}
	for i := range 20 {
		bad.Invalid = append(bad.Invalid, ledger.InvalidToken{App: "shop", Vendor: "oppo", Token: fmt.Sprint(i), Action: "delete"})
	}
	if _, s, err := r.puller.Feed.Feed(t.Context(), bad); s != ledger.Alarm || err != nil {
		t.Fatalf("got %d, %v", s, err)
	}
	r.due()
	if got := r.tokens(wire.QuarantineStream); len(got) != 23 || r.quarantined != 3 || r.rdb.Exists(t.Context(), wire.InvalidStream).Val() != 0 {
		t.Errorf("%d are quarantined, %d counted, want all 23", len(got), r.quarantined)
	}
}

func TestAPullOfAnEndlessListIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	endless := pages{}
	for i := range 2100 {
		endless = append(endless, []string{fmt.Sprint("t", i)})
	}
	r.acct.Vendor = endless.vendor(r.acct.Vendor)
	r.due()
	if r.ok != 2000 || r.fed != 2000 {
		t.Errorf("%d pages and %d tokens, want 2,000", r.ok, r.fed)
	}
}
