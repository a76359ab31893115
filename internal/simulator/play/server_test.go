package play_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

func TestTheReportCountsWhatHappened(t *testing.T) {
	t.Parallel()
	r := newRig(t, play.Options{})
	token := r.HuaweiToken()
	r.HuaweiSend(token, playtest.HuaweiMessage("a", "b", "bad-1"))
	r.HuaweiSend(token, playtest.HuaweiMessage("b", "c"))
	r.HuaweiSend(token, playtest.HuaweiMessage("bad-1"))
	r.Must("POST", "/v1/100001/messages:push", "", nil)
	got := r.Report().Vendors["huawei"]
	for name, pair := range map[string][2]int64{
		"requests":     {got.Requests, 4},
		"token":        {got.Endpoints["token"], 1},
		"send":         {got.Endpoints["send"], 3},
		"accepted":     {got.Accepted, 4},
		"of the app":   {got.Apps["100001"], 4},
		"distinct":     {got.Distinct, 3},
		"duplicates":   {got.Duplicates, 1},
		"invalid":      {got.Invalid, 2},
		"grants":       {got.Grants, 1},
		"in flight":    {int64(got.InFlightPeak), 1},
		"strays":       {r.Report().StrayCount, 1},
		"deliveries b": {int64(r.Count("huawei", "b")), 2},
		"deliveries 1": {int64(r.Count("huawei", "bad-1")), 0},
		"elsewhere":    {int64(r.Count("nobody", "b")), 0},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %d, want %d", name, pair[0], pair[1])
		}
	}
	r.Reset()
	if got := r.Report(); got.Vendors["huawei"].Requests != 0 || got.Violations() != 0 || r.Count("huawei", "b") != 0 || len(r.Requests()) != 0 {
		t.Errorf("after a reset: got %+v, want nothing", got)
	}
	r.WantHuaweiCode("an access token outlives a reset", r.HuaweiSend(token, playtest.HuaweiMessage("a")), 200, "80000000")
}

func TestOnlyTheFirstHundredViolationsAreKept(t *testing.T) {
	t.Parallel()
	s := newServer(play.Options{})
	for range 150 {
		playtest.Record(s, playtest.Post("/v1/1/messages:send", nil, nil))
	}
	got := s.Report().Vendors["huawei"]
	if len(got.Violations) != 100 || got.ViolationCount != 150 {
		t.Errorf("got %d kept of %d, want 100 of 150", len(got.Violations), got.ViolationCount)
	}
}

func TestRatesAreCountedInTokensASecond(t *testing.T) {
	t.Parallel()
	clk := playtest.NewClock()
	s := newServer(play.Options{AnyCredentials: true, Now: clk.Now, Rate: 1, Rates: map[string]float64{"huawei": 4}})
	steps := []struct {
		wait   time.Duration
		app    string
		tokens []string
		want   int
	}{
		{0, "1", []string{"a", "b"}, 200},
		{0, "1", []string{"a", "b"}, 200},
		{0, "1", []string{"a"}, 503},
		{0, "2", []string{"a", "b", "c"}, 200}, // another app's rate is its own
		{0, "2", []string{"a", "b"}, 200},      // one request may go over
		{0, "2", []string{"a"}, 503},
		{980 * time.Millisecond, "1", []string{"a"}, 503},
		{20 * time.Millisecond, "1", []string{"a"}, 200},
	}
	for i, step := range steps {
		clk.Pass(step.wait)
		w := playtest.Record(s, playtest.Post("/v1/"+step.app+"/messages:send", []byte(playtest.HuaweiMessage(step.tokens...)), playtest.HuaweiHeader("x")))
		if w.Code != step.want {
			t.Errorf("request %d: got %d %s, want %d", i+1, w.Code, w.Body, step.want)
		}
	}
	got := s.Report().Vendors["huawei"]
	if got.RateRefused != 3 || got.Accepted != 10 || got.TokensPerSecondPeak != 12 || got.RequestsPerSecondPeak != 7 || got.ViolationCount != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestTheSinkLooksAtNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, play.Options{Sink: true})
	if err := r.SetFaults([]play.Fault{{Endpoint: "send", Status: 500}}); err != nil {
		t.Fatal(err)
	}
	r.WantHuaweiCode("send", r.HuaweiSend("x", "anything"), 200, "80000000")
	if r.HuaweiToken() == "" {
		t.Error("want grants to work as ever")
	}
	got := r.Report().Vendors["huawei"]
	if got.Endpoints["send"] != 1 || got.ViolationCount != 0 || got.Accepted != 0 {
		t.Errorf("got %+v, want one request and nothing else", got)
	}
}

func TestABodyOverTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, play.Options{AnyCredentials: true})
	got, err := r.Do("POST", "/v1/1/messages:send", strings.Repeat(" ", 8<<20+1), playtest.HuaweiHeader("x"))
	if err == nil && got.Status != 413 {
		t.Errorf("got %d, want 413", got.Status)
	}
	r.WantViolations(1)
}

func TestManyClientsAtOnce(t *testing.T) {
	t.Parallel()
	const clients, sends, tokens = 8, 20, 50
	r := newRig(t, play.Options{Latency: time.Millisecond})
	if err := r.SetFaults([]play.Fault{{Probability: 0.2, Status: 503}}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range sends {
				list := make([]string, tokens)
				for j := range list {
					list[j] = fmt.Sprintf("t-%d-%d-%d", c, i, j)
				}
				for r.HuaweiSend("", playtest.HuaweiMessage(list...)).Status == http.StatusServiceUnavailable {
					r.Report()
					r.Requests()
				}
			}
		})
	}
	wg.Wait()
	if got := r.Report().Vendors["huawei"]; got.ViolationCount != clients*sends || got.Accepted != 0 {
		t.Errorf("without an access token: got %d violations, %d accepted; want %d, 0", got.ViolationCount, got.Accepted, clients*sends)
	}
}

func TestConcurrentSendsAreCountedExactly(t *testing.T) {
	t.Parallel()
	const clients, sends, tokens = 8, 25, 100
	s := newServer(play.Options{AnyCredentials: true})
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := range sends {
				list := make([]string, tokens)
				for j := range list {
					list[j] = fmt.Sprintf("t-%d-%d", i, j)
				}
				playtest.Record(s, playtest.Post("/v1/1/messages:send", []byte(playtest.HuaweiMessage(list...)), playtest.HuaweiHeader("x")))
			}
		})
	}
	wg.Wait()
	got := s.Report().Vendors["huawei"]
	if got.Accepted != clients*sends*tokens || got.Distinct != sends*tokens || got.ViolationCount != 0 || s.Count("huawei", "t-3-7") != clients {
		t.Errorf("got %+v and %d, want every token %d times", got, s.Count("huawei", "t-3-7"), clients)
	}
}

func TestTheJournalShowsRequestsWithoutTheirSecrets(t *testing.T) {
	t.Parallel()
	r := newRig(t, play.Options{})
	token := r.HuaweiToken()
	r.HuaweiSend(token, playtest.HuaweiMessage("a"))
	r.HuaweiSend(token, playtest.HuaweiMessage(strings.Repeat("x", 5000)))
	got := r.Requests()
	if len(got) != 3 {
		t.Fatalf("got %d requests, want 3", len(got))
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"demo-secret", token, "Bearer"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the journal holds %q", secret)
		}
	}
	if got[1].Body != playtest.HuaweiMessage("a") || got[1].Header.Get("Content-Type") != "application/json; charset=UTF-8" || got[1].Status != 200 || got[1].Tokens != 1 {
		t.Errorf("got %+v", got[1])
	}
	if len(got[2].Body) != 4096 || got[2].BodyBytes <= 5000 {
		t.Errorf("got a body of %d of %d bytes, want 4096 of over 5000", len(got[2].Body), got[2].BodyBytes)
	}
	for range 120 {
		playtest.Record(r.Server, playtest.Post("/v1/1/messages:send", nil, nil))
	}
	if got := r.Requests(); len(got) != 100 || got[99].Status != 404 {
		t.Errorf("got %d, the last %+v; want 100", len(got), got[len(got)-1])
	}
}
