package play_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

func TestFaultsAsAClientSeesThem(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fault  play.Fault
		status int    // 0: the client gets no whole answer
		want   string // a body, or with status 0 nothing
		err    error  // what errors.Is finds with status 0
	}{
		{"a status has no body", play.Fault{Status: 502}, 502, "", nil},
		{"a status with a body", play.Fault{Status: 503, Body: "<html>busy"}, 503, "<html>busy", nil},
		{"a body under 200", play.Fault{Body: "not JSON"}, 200, "not JSON", nil},
		{"a reset", play.Fault{Reset: true}, 0, "", syscall.ECONNRESET},
		{"half a body", play.Fault{HalfBody: true, Body: "0123456789"}, 0, "", io.ErrUnexpectedEOF},
		{"half of the vendor's own success", play.Fault{HalfBody: true}, 0, "", io.ErrUnexpectedEOF},
		{"half a body under a status", play.Fault{HalfBody: true, Status: 502}, 0, "", io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		for _, accept := range []bool{false, true} {
			name, deliveries := tt.name+" before accepting", 0
			if accept {
				name, deliveries = tt.name+" after accepting", 1
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, play.Options{AnyCredentials: true})
				fault := tt.fault
				fault.Accept = accept
				if err := r.SetFaults([]play.Fault{fault}); err != nil {
					t.Fatal(err)
				}
				got, err := r.Do("POST", "/v1/1/messages:send", playtest.HuaweiMessage("a"), playtest.HuaweiHeader("x"))
				if tt.status != 0 && (err != nil || got.Status != tt.status || got.Body != tt.want) {
					t.Errorf("got %d %q, %v; want %d %q", got.Status, got.Body, err, tt.status, tt.want)
				}
				if tt.status == 0 && !errors.Is(err, tt.err) {
					t.Errorf("got %d %q, %v; want %v", got.Status, got.Body, err, tt.err)
				}
				if n := r.Count("huawei", "a"); n != deliveries {
					t.Errorf("got %d deliveries, want %d", n, deliveries)
				}
				if n := r.Report().Vendors["huawei"].Faults["fault 1"]; n != 1 {
					t.Errorf("the rule fired %d times, want 1", n)
				}
			})
		}
	}
}

func TestAHangLastsUntilTheClientLeaves(t *testing.T) {
	t.Parallel()
	for accept, deliveries := range map[bool]int{false: 0, true: 1} {
		r := newRig(t, play.Options{AnyCredentials: true})
		if err := r.SetFaults([]play.Fault{{Hang: true, Accept: accept}}); err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		go func() {
			for len(r.Requests()) == 0 { // until the fault is applied
				runtime.Gosched()
			}
			leave()
		}()
		req := playtest.Post("/", []byte(playtest.HuaweiMessage("a")), playtest.HuaweiHeader("x")).WithContext(ctx)
		req.RequestURI = ""
		req.URL.Scheme, req.URL.Host, req.URL.Path = "http", r.URL[len("http://"):], "/v1/1/messages:send"
		resp, err := r.Client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want no answer", err)
		}
		if n := r.Count("huawei", "a"); n != deliveries {
			t.Errorf("accept %v: got %d deliveries, want %d", accept, n, deliveries)
		}
	}
}

func TestDelays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		opt        play.Options
		faults     []play.Fault
		patience   time.Duration // of the client
		deliveries int
		takes      time.Duration
	}{
		{"no delay", play.Options{}, nil, time.Minute, 1, 0},
		{"latency", play.Options{Latency: 30 * time.Millisecond}, nil, time.Minute, 1, 30 * time.Millisecond},
		{"a late answer", play.Options{}, []play.Fault{{Delay: play.Duration(time.Second)}}, time.Minute, 1, time.Second},
		{"a client that gives up before the vendor looked", play.Options{}, []play.Fault{{Delay: play.Duration(time.Second)}}, time.Millisecond, 0, time.Millisecond},
		{"a late answer to what is accepted", play.Options{}, []play.Fault{{Delay: play.Duration(time.Second), Accept: true}}, time.Minute, 1, time.Second},
		{"a client that gives up before the late answer", play.Options{}, []play.Fault{{Delay: play.Duration(time.Second), Accept: true}}, time.Millisecond, 1, time.Millisecond},
		{"a client that gives up after the vendor accepted", play.Options{}, []play.Fault{{Delay: play.Duration(time.Second), Status: 200, Accept: true}}, time.Millisecond, 1, time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tt.opt.AnyCredentials = true
				s := newServer(tt.opt)
				if err := s.SetFaults(tt.faults); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.patience)
				defer cancel()
				start := time.Now()
				func() {
					defer func() { _ = recover() }() // a handler without an answer aborts
					playtest.Record(s, playtest.Post("/v1/1/messages:send", []byte(playtest.HuaweiMessage("a")), playtest.HuaweiHeader("x")).WithContext(ctx))
				}()
				if got := time.Since(start); got != tt.takes {
					t.Errorf("it took %v, want %v", got, tt.takes)
				}
				if n := s.Count("huawei", "a"); n != tt.deliveries {
					t.Errorf("got %d deliveries, want %d", n, tt.deliveries)
				}
			})
		})
	}
}

func TestFaultCodesComeInTheVendorsForm(t *testing.T) {
	t.Parallel()
	r := newRig(t, play.Options{AnyCredentials: true})
	set := func(f play.Fault) {
		t.Helper()
		if err := r.SetFaults([]play.Fault{f}); err != nil {
			t.Fatal(err)
		}
	}
	for want, status := range map[string]int{"80200003": 401, "80100016": 400, "81000001": 500, "80000001": 500, "80999999": 400} {
		set(play.Fault{Code: want})
		r.WantHuaweiCode("only a code", r.HuaweiSend("x", playtest.HuaweiMessage("a")), status, want)
	}
	set(play.Fault{Code: "80300007", Status: 500})
	r.WantHuaweiCode("code under a status", r.HuaweiSend("x", playtest.HuaweiMessage("a")), 500, "80300007")
	set(play.Fault{Code: "1302/57303", Endpoint: "token", Status: 503})
	if got := r.AskHuaweiToken(nil); got.Status != 503 || got.Body != `{"sub_error":57303,"error_description":"appid is overload blocked","error":1302}` {
		t.Errorf("got %d %s, want 1302/57303", got.Status, got.Body)
	}
	set(play.Fault{Headers: map[string]string{"Retry-After": "7"}})
	got := r.HuaweiSend("x", playtest.HuaweiMessage("b"))
	r.WantHuaweiCode("only headers", got, 200, "80000000")
	if got.Header.Get("Retry-After") != "7" || r.Count("huawei", "b") != 1 {
		t.Errorf("got %v, %d deliveries; want Retry-After and one", got.Header, r.Count("huawei", "b"))
	}
}

func TestRulesChooseTheirRequests(t *testing.T) {
	t.Parallel()
	const hit = 599
	tests := []struct {
		name string
		rule play.Fault
		want []bool // which of the requests are hit, see below
	}{
		{"all", play.Fault{}, []bool{true, true, true, true}},
		{"by vendor", play.Fault{Vendor: "huawei"}, []bool{true, true, true, true}},
		{"by endpoint", play.Fault{Endpoint: "token"}, []bool{false, false, false, true}},
		{"by app", play.Fault{App: "2"}, []bool{false, true, false, true}},
		{"by token prefix", play.Fault{TokenPrefix: "slow-"}, []bool{false, false, true, false}},
		{"by all of them", play.Fault{Vendor: "huawei", Endpoint: "send", App: "1", TokenPrefix: "slow-"}, []bool{false, false, true, false}},
		{"after the first two", play.Fault{After: 2}, []bool{false, false, true, true}},
		{"three times", play.Fault{Times: 3}, []bool{true, true, true, false}},
		{"once after the first", play.Fault{After: 1, Times: 1}, []bool{false, true, false, false}},
	}
	requests := func() []*http.Request {
		form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
		return []*http.Request{
			playtest.Post("/v1/1/messages:send", []byte(playtest.HuaweiMessage("a")), playtest.HuaweiHeader("x")),
			playtest.Post("/v1/2/messages:send", []byte(playtest.HuaweiMessage("a", "b")), playtest.HuaweiHeader("x")),
			playtest.Post("/v1/1/messages:send", []byte(playtest.HuaweiMessage("a", "slow-1")), playtest.HuaweiHeader("x")),
			playtest.Post("/oauth2/v3/token", []byte("grant_type=client_credentials&client_id=2&client_secret=s"), form),
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(play.Options{AnyCredentials: true})
			tt.rule.Status = hit
			if err := s.SetFaults([]play.Fault{tt.rule}); err != nil {
				t.Fatal(err)
			}
			for i, req := range requests() {
				if got := playtest.Record(s, req).Code == hit; got != tt.want[i] {
					t.Errorf("request %d: hit %v, want %v", i, got, tt.want[i])
				}
			}
		})
	}
}

func TestProbabilityIsSeeded(t *testing.T) {
	t.Parallel()
	const n = 2000
	run := func(seed uint64) (pattern []bool, hits int) {
		s := newServer(play.Options{AnyCredentials: true, Seed: seed})
		if err := s.SetFaults([]play.Fault{{Probability: 0.25, Status: 500}}); err != nil {
			t.Fatal(err)
		}
		for range n {
			hit := playtest.Record(s, playtest.Post("/v1/1/messages:send", []byte(playtest.HuaweiMessage("a")), playtest.HuaweiHeader("x"))).Code == 500
			pattern = append(pattern, hit)
			if hit {
				hits++
			}
		}
		return pattern, hits
	}
	one, hits := run(1)
	again, _ := run(1)
	other, _ := run(2)
	if hits < n/5 || hits > n*3/10 {
		t.Errorf("got %d hits of %d, want about a quarter", hits, n)
	}
	same := func(a, b []bool) bool {
		for i := range a {
			if a[i] != b[i] {
				return false
			}
		}
		return true
	}
	if !same(one, again) || same(one, other) {
		t.Errorf("same seed same hits: %v, other seed same hits: %v; want true, false", same(one, again), same(one, other))
	}
}

func TestRulesReplaceEachOtherByName(t *testing.T) {
	t.Parallel()
	s := newServer(play.Options{})
	add := func(f ...play.Fault) {
		t.Helper()
		if err := s.AddFaults(f...); err != nil {
			t.Fatal(err)
		}
	}
	add(play.Fault{Name: "a", Status: 500}, play.Fault{Status: 501})
	add(play.Fault{Name: "a", Status: 502}, play.Fault{Status: 503})
	var got []string
	for _, f := range s.Faults() {
		got = append(got, f.Name+" "+http.StatusText(f.Status))
	}
	want := []string{"a Bad Gateway", "fault 1 Not Implemented", "fault 2 Service Unavailable"}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBadRulesAreRefusedByField(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, rules, field string }{
		{"an unknown vendor", `[{"status":500},{"vendor":"hwawei","status":500}]`, "faults[1].vendor"},
		{"an unknown endpoint", `[{"vendor":"huawei","endpoint":"sent","status":500}]`, "faults[0].endpoint"},
		{"a probability over 1", `[{"probability":1.5,"status":500}]`, "faults[0].probability"},
		{"a negative after", `[{"after":-1,"status":500}]`, "faults[0].after"},
		{"negative times", `[{"times":-1,"status":500}]`, "faults[0].times"},
		{"a status out of range", `[{"status":99}]`, "faults[0].status"},
		{"a delay without unit", `[{"delay":"200"}]`, "faults[0].delay"},
		{"a delay that is a number", `[{"delay":200}]`, "faults[0].delay"},
		{"a negative delay", `[{"delay":"-1s"}]`, "faults[0].delay"},
		{"code and body", `[{"code":"1","body":"b"}]`, "faults[0].body"},
		{"hang and reset", `[{"hang":true,"reset":true}]`, "faults[0].hang"},
		{"reset and half a body", `[{"reset":true,"half_body":true}]`, "faults[0].reset"},
		{"a rule that does nothing", `[{"vendor":"huawei"}]`, "faults[0].status"},
		{"accept without a fault", `[{"accept":true,"headers":{"X-A":"1"}}]`, "faults[0].accept"},
		{"a length", `[{"headers":{"content-length":"1"}}]`, "faults[0].headers"},
		{"an unknown field", `[{"staus":500}]`, "faults[0].staus"},
		{"a wrong type", `[{"status":"500"}]`, "faults[0].status"},
		{"the same name twice", `[{"name":"a","status":500},{"name":"a","status":500}]`, "faults[1].name"},
		{"a rule that is a number", `[1]`, "faults[0]"},
		{"no list", `"x"`, "faults"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(play.Options{})
			faults, err := play.ParseFaults([]byte(tt.rules))
			if err == nil {
				err = s.SetFaults(faults)
			}
			var wrong *play.FaultError
			if !errors.As(err, &wrong) || wrong.Field != tt.field || wrong.Reason == "" {
				t.Errorf("got %v, want field %s", err, tt.field)
			}
			if got := s.Faults(); len(got) != 0 {
				t.Errorf("got %v in force, want none", got)
			}
		})
	}
}

// FuzzParseFaults checks that no text gets a rule past the checks that then
// breaks the simulator.
func FuzzParseFaults(f *testing.F) {
	f.Add(`[{"name":"a","vendor":"huawei","endpoint":"send","app":"1","token_prefix":"t","probability":0.5,"after":1,"times":2,"status":503,"headers":{"Retry-After":"1"},"body":"b"}]`)
	f.Add(`{"code":"80000000","half_body":true,"accept":true}`)
	f.Add(`[{"headers":{"a b":"c\n"}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		s := newServer(play.Options{AnyCredentials: true})
		faults, err := play.ParseFaults([]byte(text))
		if err != nil || s.SetFaults(faults) != nil {
			return
		}
		for _, one := range faults {
			if one.Hang || one.Delay > 0 {
				return
			}
		}
		defer func() {
			if e := recover(); e != nil && e != http.ErrAbortHandler { //nolint:errorlint // a panic's value, compared as net/http does
				t.Errorf("panic: %v", e)
			}
		}()
		s.ServeHTTP(httptest.NewRecorder(), playtest.Post("/v1/1/messages:send", []byte(playtest.HuaweiMessage("t")), playtest.HuaweiHeader("x")))
	})
}
