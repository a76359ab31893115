package play

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

// Request is a request to a vendor, as the journal keeps it.
type Request struct {
	Time     time.Time   `json:"time"`
	Vendor   string      `json:"vendor"`
	Endpoint string      `json:"endpoint"`
	Method   string      `json:"method"`
	Path     string      `json:"path"`
	Header   http.Header `json:"header"` // without those that hold credentials
	// Body is the beginning of the body, at most 4 kB, and BodyBytes the whole
	// length. Bodies that hold secrets are left out.
	Body      string `json:"body"`
	BodyBytes int    `json:"body_bytes"`
	Tokens    int    `json:"tokens"`
	// Status is the HTTP status of the answer; 0 when none was to be sent.
	Status int    `json:"status"`
	Fault  string `json:"fault,omitempty"` // the rule that fired
}

// journal keeps the last requests in a ring buffer.
type journal struct {
	mu   sync.Mutex
	ring [journalLength]entry
	n    int
}

// entry is a place of the ring. Its body's memory is reused.
type entry struct {
	Request
	body []byte
}

func (j *journal) add(c *Call, status int, fault string) {
	if status == 0 && fault == "" {
		status = http.StatusOK
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	e := &j.ring[j.n%journalLength]
	j.n++
	e.Request = Request{
		Time: c.Now, Vendor: c.player.Name, Endpoint: c.endpoint.Name, Method: c.Request.Method, Path: c.Request.URL.Path,
		Header: c.Request.Header, BodyBytes: len(c.Body), Tokens: len(c.Tokens), Status: status, Fault: fault,
	}
	e.body = e.body[:0]
	if !c.endpoint.Secret {
		e.body = append(e.body, c.Body[:min(len(c.Body), journalBody)]...)
	}
}

// Requests returns the last 100 requests to vendors, oldest first.
func (s *Server) Requests() []Request {
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

// public copies headers, except those in which vendors take credentials.
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
