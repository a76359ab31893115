package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTheReportCountsWhatHappened(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	token := r.token()
	r.send(token, good("a", "b", "bad-1"))
	r.send(token, good("b", "c"))
	r.send(token, good("bad-1"))
	r.must("POST", "/v1/100001/messages:push", "", nil)
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
	r.wantCode("an access token outlives a reset", r.send(token, good("a")), 200, "80000000")
}

func TestOnlyTheFirstHundredViolationsAreKept(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	for range 150 {
		record(s, post("/v1/1/messages:send", nil, nil))
	}
	got := s.Report().Vendors["huawei"]
	if len(got.Violations) != 100 || got.ViolationCount != 150 {
		t.Errorf("got %d kept of %d, want 100 of 150", len(got.Violations), got.ViolationCount)
	}
}

func TestRatesAreCountedInTokensASecond(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s := New(Options{AnyCredentials: true, Now: clk.now, Rate: 1, Rates: map[string]float64{"huawei": 4}})
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
		clk.pass(step.wait)
		w := record(s, post("/v1/"+step.app+"/messages:send", []byte(good(step.tokens...)), sendHeader("x")))
		if w.Code != step.want {
			t.Errorf("request %d: got %d %s, want %d", i+1, w.Code, w.Body, step.want)
		}
	}
	got := s.Report().Vendors["huawei"]
	if got.RateRefused != 3 || got.Accepted != 10 || got.TokensPerSecondPeak != 12 || got.RequestsPerSecondPeak != 7 || got.ViolationCount != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestTheShareOfInvalidTokensFollowsFromTheSeed(t *testing.T) {
	t.Parallel()
	const n = 20000
	invalid := func(seed uint64, share float64) (which map[int]bool) {
		s := New(Options{Seed: seed, Invalid: share, AnyCredentials: true})
		which = map[int]bool{}
		var b batch
		for i := range n {
			token := fmt.Appendf(nil, "token-%d", i)
			b.load([][]byte{token})
			if s.invalid(token, b.hashes[0]) {
				which[i] = true
			}
		}
		return which
	}
	one, again, other := invalid(1, 0.01), invalid(1, 0.01), invalid(2, 0.01)
	if len(one) < n/200 || len(one) > n/50 {
		t.Errorf("got %d of %d, want about 1 in 100", len(one), n)
	}
	shared := 0
	for i := range one {
		if !again[i] {
			t.Errorf("token %d is invalid only at times", i)
		}
		if other[i] {
			shared++
		}
	}
	if shared > len(one)/4 {
		t.Errorf("two seeds share %d of %d", shared, len(one))
	}
	if got := invalid(1, 1); len(got) != n {
		t.Errorf("a share of 1: got %d of %d", len(got), n)
	}
}

func TestTheSinkLooksAtNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Sink: true})
	if err := r.SetFaults([]Fault{{Endpoint: "send", Status: 500}}); err != nil {
		t.Fatal(err)
	}
	r.wantCode("send", r.send("x", "anything"), 200, "80000000")
	if r.token() == "" {
		t.Error("want grants to work as ever")
	}
	got := r.Report().Vendors["huawei"]
	if got.Endpoints["send"] != 1 || got.ViolationCount != 0 || got.Accepted != 0 {
		t.Errorf("got %+v, want one request and nothing else", got)
	}
}

func TestABodyOverTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{AnyCredentials: true})
	got, err := r.do("POST", "/v1/1/messages:send", strings.Repeat(" ", longestBody+1), sendHeader("x"))
	if err == nil && got.status != 413 {
		t.Errorf("got %d, want 413", got.status)
	}
	r.wantViolations(1)
}

func TestManyClientsAtOnce(t *testing.T) {
	t.Parallel()
	const clients, sends, tokens = 8, 20, 50
	r := newRig(t, Options{Latency: time.Millisecond})
	if err := r.SetFaults([]Fault{{Probability: 0.2, Status: 503}}); err != nil {
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
				for r.send("", good(list...)).status == http.StatusServiceUnavailable {
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
	s := New(Options{AnyCredentials: true})
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for i := range sends {
				list := make([]string, tokens)
				for j := range list {
					list[j] = fmt.Sprintf("t-%d-%d", i, j)
				}
				record(s, post("/v1/1/messages:send", []byte(good(list...)), sendHeader("x")))
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
	r := newRig(t, Options{})
	token := r.token()
	r.send(token, good("a"))
	r.send(token, good(strings.Repeat("x", 5000)))
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
	if got[1].Body != good("a") || got[1].Header.Get("Content-Type") != "application/json; charset=UTF-8" || got[1].Status != 200 || got[1].Tokens != 1 {
		t.Errorf("got %+v", got[1])
	}
	if len(got[2].Body) != 4096 || got[2].BodyBytes <= 5000 {
		t.Errorf("got a body of %d of %d bytes, want 4096 of over 5000", len(got[2].Body), got[2].BodyBytes)
	}
	for range 120 {
		record(r.Simulator, post("/v1/1/messages:send", nil, nil))
	}
	if got := r.Requests(); len(got) != 100 || got[99].Status != 404 {
		t.Errorf("got %d, the last %+v; want 100", len(got), got[len(got)-1])
	}
}

func TestListenServesAndStops(t *testing.T) {
	t.Parallel()
	s := New(Options{AnyCredentials: true})
	if err := s.SetFaults([]Fault{{TokenPrefix: "hang", Hang: true}, {TokenPrefix: "slow", Delay: Duration(time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	url, stop, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	r := &rig{Simulator: s, t: t, url: url, client: client}
	type outcome struct {
		reply
		err error
	}
	hung, slow := make(chan outcome, 1), make(chan outcome, 1)
	go func() {
		got, err := r.do("POST", "/v1/1/messages:send", good("hang"), sendHeader("x"))
		hung <- outcome{got, err}
	}()
	go func() {
		got, err := r.do("POST", "/v1/1/messages:send", good("slow"), sendHeader("x"))
		slow <- outcome{got, err}
	}()
	for s.Report().Vendors["huawei"].InFlightPeak < 2 || len(s.Report().Vendors["huawei"].Faults) < 2 {
		r.must("GET", "/_simulator/report", "", nil)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
	if got := <-hung; got.err == nil {
		t.Errorf("the hanging request: got %+v, want an error", got)
	}
	if got := <-slow; got.err != nil || got.status != 200 {
		t.Errorf("the slow request: got %+v, want its answer", got)
	}
	if _, _, err := s.Listen("256.0.0.1:0"); err == nil {
		t.Error("a wrong address: want an error")
	}
}
