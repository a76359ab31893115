package simulator

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	journalLength = 100
	journalBody   = 4 << 10 // bytes kept of a body
)

// Request is one request as the journal has it.
type Request struct {
	Time     time.Time   `json:"time"`
	Vendor   string      `json:"vendor"`
	Endpoint string      `json:"endpoint"`
	Method   string      `json:"method"`
	Path     string      `json:"path"`
	Header   http.Header `json:"header"` // without those that hold credentials
	// Body is the beginning of the body, at most 4 kB; BodyBytes its whole
	// length. Bodies that hold secrets are left out.
	Body      string `json:"body"`
	BodyBytes int    `json:"body_bytes"`
	Tokens    int    `json:"tokens"`
	// Status is the HTTP status of the answer; 0 when there was to be none.
	Status int    `json:"status"`
	Fault  string `json:"fault,omitempty"` // the rule that fired
}

// journal keeps the last requests in a ring.
type journal struct {
	mu   sync.Mutex
	ring [journalLength]entry
	n    int
}

// entry keeps its memory for the request that takes its place.
type entry struct {
	Request
	body []byte
}

func (j *journal) add(c *call, status int, fault string) {
	if status == 0 && fault == "" {
		status = http.StatusOK
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	e := &j.ring[j.n%journalLength]
	j.n++
	e.Request = Request{
		Time: c.now, Vendor: c.p.name, Endpoint: c.e.name, Method: c.r.Method, Path: c.r.URL.Path,
		Header: c.r.Header, BodyBytes: len(c.body), Tokens: len(c.tokens), Status: status, Fault: fault,
	}
	e.body = e.body[:0]
	if !c.e.secret {
		e.body = append(e.body, c.body[:min(len(c.body), journalBody)]...)
	}
}

// Requests returns the last 100 requests to vendors, oldest first.
func (s *Simulator) Requests() []Request {
	j := &s.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	list := []Request{}
	for i := max(0, j.n-journalLength); i < j.n; i++ {
		e := &j.ring[i%journalLength]
		r := e.Request
		r.Body, r.Header = string(e.body), public(e.Header)
		list = append(list, r)
	}
	return list
}

func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.n, j.ring = 0, [journalLength]entry{}
}

// public copies headers without those that vendors take credentials in.
func public(h http.Header) http.Header {
	secret := []string{"authorization", "authtoken", "auth_token", "cookie"}
	out := http.Header{}
	for name, values := range h {
		if !slices.Contains(secret, strings.ToLower(name)) {
			out[name] = slices.Clone(values)
		}
	}
	return out
}
