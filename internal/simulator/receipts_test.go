package simulator

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// receiver is an app's address for receipts.
type receiver struct {
	*httptest.Server
	status int
	mu     sync.Mutex
	bodies []string
}

func newReceiver(t *testing.T, status int) *receiver {
	t.Helper()
	a := &receiver{status: status}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.bodies = append(a.bodies, r.Header.Get("Content-Type")+" "+string(body))
		w.WriteHeader(a.status)
	}))
	t.Cleanup(a.Close)
	return a
}

// told waits for every call that is under way.
func (r *rig) told(a *receiver) []string {
	r.underway.Wait()
	r.courier.CloseIdleConnections()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.bodies
}

func TestReceiptsFollowAPush(t *testing.T) {
	t.Parallel()
	tagged := func(tokens ...string) string {
		return strings.Replace(good(tokens...), `{"notif`, `{"bi_tag":"tag","notif`, 1)
	}
	const status = `"biTag":%q,"requestId":%q,"status":%d,"timestamp":1767323045000,"token":%q}`
	item := func(tag, token string, code int) string {
		return fmt.Sprintf(`{"appid":"100001",`+status, tag, tag, code, token)
	}
	nobody := item(strings.Repeat("f", 32), "nobody", 2)
	for _, tt := range []struct {
		name   string
		opt    Receipts
		tokens []string
		want   []string // of statuses, a call each
	}{
		{"for what was accepted", Receipts{}, []string{"a", "lost-b", "bad-c"}, []string{item("tag", "a", 0) + "," + item("tag", "lost-b", 2)}},
		{"twice", Receipts{Twice: true, Late: Duration(time.Millisecond)}, []string{"a"}, []string{item("tag", "a", 0), item("tag", "a", 0)}},
		{"with a stranger's", Receipts{Unknown: true}, []string{"a"}, []string{item("tag", "a", 0) + "," + nobody}},
		{"not for what is invalid", Receipts{}, []string{"bad-a"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, app := newRig(t, Options{Now: newClock().now}), newReceiver(t, http.StatusOK)
			tt.opt.URL = app.URL
			if err := r.SetReceipts("huawei", &tt.opt); err != nil {
				t.Fatal(err)
			}
			r.send(r.token(), tagged(tt.tokens...))
			got := r.told(app)
			for i, want := range tt.want {
				if want = `application/json {"statuses":[` + want + `]}`; i >= len(got) || got[i] != want {
					t.Errorf("got %q, want %s", got, want)
				}
			}
			if n := r.Report().Vendors["huawei"].Receipts; len(got) != len(tt.want) || n != int64(len(got)) {
				t.Errorf("got %d calls and %d in the report, want %d", len(got), n, len(tt.want))
			}
			r.wantViolations(0)
		})
	}
}

func TestARefusedReceiptIsAViolation(t *testing.T) {
	t.Parallel()
	r, app := newRig(t, Options{}), newReceiver(t, http.StatusForbidden)
	if got := r.must("PUT", "/_simulator/receipts", `{"huawei":{"url":"`+app.URL+`"}}`, nil); got.status != http.StatusOK {
		t.Fatalf("got %d %s", got.status, got.body)
	}
	r.send(r.token(), good("a"))
	r.told(app)
	r.wantSaid("huawei", "answered with HTTP 403 Forbidden")
}

func TestStoppingDoesNotWaitForLateReceipts(t *testing.T) {
	t.Parallel()
	s := New(Options{AnyCredentials: true})
	url, stop, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetReceipts("huawei", &Receipts{URL: url, Late: Duration(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	if w := record(s, post("/v1/1/messages:send", []byte(good("a")), sendHeader("any"))); w.Code != http.StatusOK {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	if err := stop(t.Context()); err != nil || s.Report().Vendors["huawei"].Receipts != 0 {
		t.Errorf("got %v and %v, want no receipt", err, s.Report().Vendors["huawei"])
	}
}

func TestReceiptsAreSteeredStrictly(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	for body, want := range map[string]string{
		`{"nokia":{}}`:              `"field": "nokia"`,
		`{"huawei":{"twise":true}}`: `unknown field \"twise\"`,
		`{"huawei":null}`:           `{}`,
	} {
		if got := r.must("PUT", "/_simulator/receipts", body, nil); !strings.Contains(got.body, want) {
			t.Errorf("%s: got %d %s, want %s", body, got.status, got.body, want)
		}
	}
}
