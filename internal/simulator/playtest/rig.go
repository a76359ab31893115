// Package playtest is for tests of the simulator's players: a server behind real
// HTTP, a clock that tests set, a receiver of receipts, and real adapters in front
// of a player. Only tests import it.
package playtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// Clock is a clock that tests set. It is safe for concurrent use.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock returns a clock that shows 2026-01-02 03:04:05 UTC.
func NewClock() *Clock { return &Clock{at: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

// Now is for Options.Now.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Pass puts the clock forward.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Rig is a server of vendors behind a real HTTP server, with a real client.
type Rig struct {
	*play.Server
	T      *testing.T
	URL    string
	Client *http.Client
}

// New serves some vendors until the test ends.
func New(t *testing.T, o play.Options, vendors ...play.Vendor) *Rig {
	t.Helper()
	return Serve(t, play.NewServer(o, vendors...))
}

// Serve serves a server until the test ends.
func Serve(t *testing.T, s *play.Server) *Rig {
	t.Helper()
	srv := httptest.NewServer(s)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		srv.Close()
	})
	return &Rig{Server: s, T: t, URL: srv.URL, Client: client}
}

// Reply is an answer that was read.
type Reply struct {
	Status      int
	ContentType string
	Header      http.Header
	Body        string
}

// Do makes a request and reads its answer; the error is the client's or the body's.
func (r *Rig) Do(method, path, body string, header map[string]string) (Reply, error) {
	r.T.Helper()
	req, err := http.NewRequestWithContext(r.T.Context(), method, r.URL+path, strings.NewReader(body))
	if err != nil {
		r.T.Fatal(err)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := r.Client.Do(req)
	if err != nil {
		return Reply{}, err
	}
	text, err := io.ReadAll(resp.Body)
	err = errors.Join(err, resp.Body.Close())
	return Reply{resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header, string(text)}, err
}

// Must is Do, and fails the test on an error.
func (r *Rig) Must(method, path, body string, header map[string]string) Reply {
	r.T.Helper()
	got, err := r.Do(method, path, body, header)
	if err != nil {
		r.T.Fatal(err)
	}
	return got
}

// WantViolations checks how many violations there are at all vendors.
func (r *Rig) WantViolations(want int64) {
	r.T.Helper()
	report := r.Report()
	if report.Violations() == want {
		return
	}
	for name, v := range report.Vendors {
		r.T.Log(name, v.Violations)
	}
	r.T.Errorf("got %d violations, want %d: %v", report.Violations(), want, report.Strays)
}

// WantSaid checks the texts of a vendor's violations.
func (r *Rig) WantSaid(vendor string, want ...string) {
	r.T.Helper()
	got := []string{}
	for _, v := range r.Report().Vendors[vendor].Violations {
		got = append(got, v.What)
	}
	if !slices.Equal(got, want) {
		r.T.Errorf("got violations %q, want %q", got, want)
	}
}

// CodeOf is the member code, a string, of a JSON answer.
func CodeOf(t *testing.T, body string) string {
	t.Helper()
	var answer struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	return answer.Code
}

// Record serves one request without a network.
func Record(h http.Handler, req *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

// Post makes a POST request for record.
func Post(path string, body []byte, header map[string]string) *http.Request {
	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, path, bytes.NewReader(body))
	for k, v := range header {
		req.Header.Set(k, v)
	}
	return req
}
