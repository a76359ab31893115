package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// rig is a simulator behind a real server, with a real client.
type rig struct {
	*Simulator
	t      *testing.T
	url    string
	client *http.Client
}

func newRig(t *testing.T, o Options) *rig {
	t.Helper()
	s := New(o)
	srv := httptest.NewServer(s)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		srv.Close()
	})
	return &rig{Simulator: s, t: t, url: srv.URL, client: client}
}

type reply struct {
	status      int
	contentType string
	header      http.Header
	body        string
}

// do makes a request and reads its answer; the error is the client's or the body's.
func (r *rig) do(method, path, body string, header map[string]string) (reply, error) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	text, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	return reply{resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header, string(text)}, err
}

func (r *rig) must(method, path, body string, header map[string]string) reply {
	r.t.Helper()
	got, err := r.do(method, path, body, header)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// token asks Huawei for an access token of the demo app.
func (r *rig) token() string { return r.tokenOf("100001", "demo-secret") }

func (r *rig) tokenOf(id, secret string) string {
	r.t.Helper()
	got := r.askToken(url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}})
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || answer.AccessToken == "" {
		r.t.Fatalf("no access token in %d %s", got.status, got.body)
	}
	return answer.AccessToken
}

func (r *rig) askToken(form url.Values) reply {
	r.t.Helper()
	return r.must("POST", "/oauth2/v3/token", form.Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
}

// send posts a body to Huawei's v1 as the demo app.
func (r *rig) send(token, body string) reply {
	r.t.Helper()
	return r.must("POST", "/v1/100001/messages:send", body, sendHeader(token))
}

func sendHeader(token string) map[string]string {
	return map[string]string{"Content-Type": "application/json; charset=UTF-8", "Authorization": "Bearer " + token}
}

// good is a right message to some tokens, by the document's example.
func good(tokens ...string) string {
	list, _ := json.Marshal(tokens)
	return `{"validate_only":false,"message":{"android":{"notification":{"title":"t","body":"b","click_action":{"type":3}}},"token":` + string(list) + `}}`
}

func code(t *testing.T, body string) string {
	t.Helper()
	var answer struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	return answer.Code
}

func (r *rig) wantCode(what string, got reply, status int, want string) {
	r.t.Helper()
	if got.status != status || code(r.t, got.body) != want {
		r.t.Errorf("%s: got %d %s, want %d with code %s", what, got.status, got.body, status, want)
	}
}

func (r *rig) wantViolations(want int64) {
	r.t.Helper()
	if got := r.Report(); got.Violations() != want {
		r.t.Errorf("got %d violations, want %d: %v %v", got.Violations(), want, got.Vendors["huawei"].Violations, got.Strays)
	}
}

// record serves one request without a network.
func record(s *Simulator, req *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	return w
}

func post(path string, body []byte, header map[string]string) *http.Request {
	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, path, bytes.NewReader(body))
	for k, v := range header {
		req.Header.Set(k, v)
	}
	return req
}
