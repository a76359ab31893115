package simulator

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
)

func TestFaultsAsAClientSeesThem(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fault  Fault
		status int    // 0: the client gets no whole answer
		want   string // a body, or with status 0 nothing
		err    error  // what errors.Is finds with status 0
	}{
		{"a status has no body", Fault{Status: 502}, 502, "", nil},
		{"a status with a body", Fault{Status: 503, Body: "<html>busy"}, 503, "<html>busy", nil},
		{"a body under 200", Fault{Body: "not JSON"}, 200, "not JSON", nil},
		{"a reset", Fault{Reset: true}, 0, "", syscall.ECONNRESET},
		{"half a body", Fault{HalfBody: true, Body: "0123456789"}, 0, "", io.ErrUnexpectedEOF},
		{"half of the vendor's own success", Fault{HalfBody: true}, 0, "", io.ErrUnexpectedEOF},
		{"half a body under a status", Fault{HalfBody: true, Status: 502}, 0, "", io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		for _, accept := range []bool{false, true} {
			name, deliveries := tt.name+" before accepting", 0
			if accept {
				name, deliveries = tt.name+" after accepting", 1
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, Options{AnyCredentials: true})
				fault := tt.fault
				fault.Accept = accept
				if err := r.SetFaults([]Fault{fault}); err != nil {
					t.Fatal(err)
				}
				got, err := r.do("POST", "/v1/1/messages:send", good("a"), sendHeader("x"))
				if tt.status != 0 && (err != nil || got.status != tt.status || got.body != tt.want) {
					t.Errorf("got %d %q, %v; want %d %q", got.status, got.body, err, tt.status, tt.want)
				}
				if tt.status == 0 && !errors.Is(err, tt.err) {
					t.Errorf("got %d %q, %v; want %v", got.status, got.body, err, tt.err)
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
		r := newRig(t, Options{AnyCredentials: true})
		if err := r.SetFaults([]Fault{{Hang: true, Accept: accept}}); err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		go func() {
			for len(r.Requests()) == 0 { // until the fault is being acted out
				runtime.Gosched()
			}
			leave()
		}()
		req := post("/", []byte(good("a")), sendHeader("x")).WithContext(ctx)
		req.RequestURI = ""
		req.URL.Scheme, req.URL.Host, req.URL.Path = "http", r.url[len("http://"):], "/v1/1/messages:send"
		resp, err := r.client.Do(req)
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
		opt        Options
		faults     []Fault
		patience   time.Duration // of the client
		deliveries int
		takes      time.Duration
	}{
		{"no delay", Options{}, nil, time.Minute, 1, 0},
		{"latency", Options{Latency: 30 * time.Millisecond}, nil, time.Minute, 1, 30 * time.Millisecond},
		{"a late answer", Options{}, []Fault{{Delay: Duration(time.Second)}}, time.Minute, 1, time.Second},
		{"a client that gives up before the vendor looked", Options{}, []Fault{{Delay: Duration(time.Second)}}, time.Millisecond, 0, time.Millisecond},
		{"a late answer to what is accepted", Options{}, []Fault{{Delay: Duration(time.Second), Accept: true}}, time.Minute, 1, time.Second},
		{"a client that gives up before the late answer", Options{}, []Fault{{Delay: Duration(time.Second), Accept: true}}, time.Millisecond, 1, time.Millisecond},
		{"a client that gives up after the vendor accepted", Options{}, []Fault{{Delay: Duration(time.Second), Status: 200, Accept: true}}, time.Millisecond, 1, time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tt.opt.AnyCredentials = true
				s := New(tt.opt)
				if err := s.SetFaults(tt.faults); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), tt.patience)
				defer cancel()
				start := time.Now()
				func() {
					defer func() { _ = recover() }() // a handler without an answer aborts
					record(s, post("/v1/1/messages:send", []byte(good("a")), sendHeader("x")).WithContext(ctx))
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

func TestFaultCodesComeInTheVendorsEnvelope(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{AnyCredentials: true})
	set := func(f Fault) {
		t.Helper()
		if err := r.SetFaults([]Fault{f}); err != nil {
			t.Fatal(err)
		}
	}
	for want, status := range map[string]int{"80200003": 401, "80100016": 400, "81000001": 500, "80000001": 500, "80999999": 400} {
		set(Fault{Code: want})
		r.wantCode("code alone", r.send("x", good("a")), status, want)
	}
	set(Fault{Code: "80300007", Status: 500})
	r.wantCode("code under a status", r.send("x", good("a")), 500, "80300007")
	set(Fault{Code: "1302/57303", Endpoint: "token", Status: 503})
	if got := r.askToken(nil); got.status != 503 || got.body != `{"sub_error":57303,"error_description":"appid is overload blocked","error":1302}` {
		t.Errorf("got %d %s, want 1302/57303", got.status, got.body)
	}
	set(Fault{Headers: map[string]string{"Retry-After": "7"}})
	got := r.send("x", good("b"))
	r.wantCode("headers alone", got, 200, "80000000")
	if got.header.Get("Retry-After") != "7" || r.Count("huawei", "b") != 1 {
		t.Errorf("got %v, %d deliveries; want Retry-After and one", got.header, r.Count("huawei", "b"))
	}
}

func TestRulesChooseTheirRequests(t *testing.T) {
	t.Parallel()
	const hit = 599
	tests := []struct {
		name string
		rule Fault
		want []bool // which of the requests are hit, see below
	}{
		{"all", Fault{}, []bool{true, true, true, true}},
		{"by vendor", Fault{Vendor: "huawei"}, []bool{true, true, true, true}},
		{"by endpoint", Fault{Endpoint: "token"}, []bool{false, false, false, true}},
		{"by app", Fault{App: "2"}, []bool{false, true, false, true}},
		{"by token prefix", Fault{TokenPrefix: "slow-"}, []bool{false, false, true, false}},
		{"by all of them", Fault{Vendor: "huawei", Endpoint: "send", App: "1", TokenPrefix: "slow-"}, []bool{false, false, true, false}},
		{"after the first two", Fault{After: 2}, []bool{false, false, true, true}},
		{"three times", Fault{Times: 3}, []bool{true, true, true, false}},
		{"once after the first", Fault{After: 1, Times: 1}, []bool{false, true, false, false}},
	}
	requests := func() []*http.Request {
		form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
		return []*http.Request{
			post("/v1/1/messages:send", []byte(good("a")), sendHeader("x")),
			post("/v1/2/messages:send", []byte(good("a", "b")), sendHeader("x")),
			post("/v1/1/messages:send", []byte(good("a", "slow-1")), sendHeader("x")),
			post("/oauth2/v3/token", []byte("grant_type=client_credentials&client_id=2&client_secret=s"), form),
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{AnyCredentials: true})
			tt.rule.Status = hit
			if err := s.SetFaults([]Fault{tt.rule}); err != nil {
				t.Fatal(err)
			}
			for i, req := range requests() {
				if got := record(s, req).Code == hit; got != tt.want[i] {
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
		s := New(Options{AnyCredentials: true, Seed: seed})
		if err := s.SetFaults([]Fault{{Probability: 0.25, Status: 500}}); err != nil {
			t.Fatal(err)
		}
		for range n {
			hit := record(s, post("/v1/1/messages:send", []byte(good("a")), sendHeader("x"))).Code == 500
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
	s := New(Options{})
	add := func(f ...Fault) {
		t.Helper()
		if err := s.AddFaults(f...); err != nil {
			t.Fatal(err)
		}
	}
	add(Fault{Name: "a", Status: 500}, Fault{Status: 501})
	add(Fault{Name: "a", Status: 502}, Fault{Status: 503})
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
			s := New(Options{})
			faults, err := ParseFaults([]byte(tt.rules))
			if err == nil {
				err = s.SetFaults(faults)
			}
			var wrong *FaultError
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
		s := New(Options{AnyCredentials: true})
		faults, err := ParseFaults([]byte(text))
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
		s.ServeHTTP(httptest.NewRecorder(), post("/v1/1/messages:send", []byte(good("t")), sendHeader("x")))
	})
}
