package httpx_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// middlebox forwards connections until it forgets them. Bytes written to a
// forgotten connection, in either direction, are lost without an error.
type middlebox struct {
	address string
	mu      sync.Mutex
	paths   []*path
}

// path is one connection through the middlebox.
type path struct{ forgotten atomic.Bool }

func newMiddlebox(t *testing.T, server *httptest.Server) *middlebox {
	t.Helper()
	m := &middlebox{}
	m.address = "https://" + listen(t, func(client net.Conn) {
		vendor, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			_ = client.Close()
			return
		}
		p := &path{}
		m.mu.Lock()
		m.paths = append(m.paths, p)
		m.mu.Unlock()
		go p.copy(client, vendor)
		p.copy(vendor, client)
	})
	return m
}

func (p *path) copy(to, from net.Conn) {
	buf := make([]byte, 4<<10)
	for {
		n, err := from.Read(buf)
		if p.forgotten.Load() {
			if err != nil {
				return
			}
			continue
		}
		if err != nil {
			_ = to.Close()
			return
		}
		_, _ = to.Write(buf[:n])
	}
}

// forget forgets all connections that are open now.
func (m *middlebox) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.paths {
		p.forgotten.Store(true)
	}
}

func (m *middlebox) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.paths)
}

// postIn makes a request with a timeout.
func postIn(t *testing.T, client *http.Client, address string, timeout time.Duration) *vendors.Error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return post(ctx, client, address)
}

func answer(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

// noPings switches pings off, so that only requests find a dead connection.
func noPings(c *http.Client) { transport(c).HTTP2 = &http.HTTP2Config{} }

func TestAfterATimeoutADeadConnectionIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	for protocol, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			s := serve(t, h2, answer)
			m := newMiddlebox(t, s)
			client := newClient(t, s)
			noPings(client)
			transport(client).MaxConnsPerHost, transport(client).MaxIdleConnsPerHost = 4, 4
			var warm sync.WaitGroup
			for range 4 {
				warm.Go(func() {
					if err := post(t.Context(), client, m.address); err != nil {
						t.Error(err)
					}
				})
			}
			warm.Wait()
			m.forget()
			if err := postIn(t, client, m.address, 200*time.Millisecond); err == nil || err.Code.Code != classify.Timeout || err.Unsent {
				t.Fatalf("got %v over a dead connection, want a timeout", err)
			}
			if err := postIn(t, client, m.address, 10*time.Second); err != nil {
				t.Errorf("the next request: %v", err)
			}
		})
	}
}

func TestADeadHTTP2ConnectionIsFoundByPings(t *testing.T) {
	t.Parallel()
	s := serve(t, true, answer)
	m := newMiddlebox(t, s)
	client := newClient(t, s)
	if c := transport(client).HTTP2; c.SendPingTimeout <= 0 || c.PingTimeout <= 0 || c.SendPingTimeout+c.PingTimeout >= 10*time.Second || c.WriteByteTimeout <= 0 {
		t.Errorf("%+v: a dead connection outlives a request of 10 s", *c)
	}
	transport(client).HTTP2.SendPingTimeout, transport(client).HTTP2.PingTimeout = 50*time.Millisecond, 50*time.Millisecond
	if err := post(t.Context(), client, m.address); err != nil {
		t.Fatal(err)
	}
	m.forget()
	// The request ends with the connection, long before its own timeout.
	if err := postIn(t, client, m.address, time.Minute); err == nil || err.Code.Code != classify.Broken || err.Unsent {
		t.Errorf("got %v over a dead connection, want it broken", err)
	}
	if err := post(t.Context(), client, m.address); err != nil {
		t.Errorf("the next request: %v", err)
	}
}

func TestATimeoutDoesNotCloseAWorkingConnection(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	hanging := make(chan struct{}, 1)
	s := serve(t, true, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow/send" {
			hanging <- struct{}{}
			select {
			case <-r.Context().Done():
			case <-over:
			}
		}
	})
	t.Cleanup(func() { close(over) })
	m := newMiddlebox(t, s)
	client := newClient(t, s)
	if err := post(t.Context(), client, m.address); err != nil {
		t.Fatal(err)
	}
	timedOut := make(chan *vendors.Error)
	go func() { timedOut <- postIn(t, client, m.address+"/slow", 500*time.Millisecond) }()
	<-hanging
	if err := post(t.Context(), client, m.address); err != nil { // the connection answers other requests
		t.Error(err)
	}
	if err := <-timedOut; err == nil || err.Code.Code != classify.Timeout {
		t.Errorf("got %v, want a timeout", err)
	}
	if err := post(t.Context(), client, m.address); err != nil {
		t.Error(err)
	}
	if n := m.count(); n != 1 {
		t.Errorf("%d connections, want the first one to stay", n)
	}
}

func TestAnHTTP1RequestThatTimesOutClosesItsConnection(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	s := serve(t, false, func(_ http.ResponseWriter, r *http.Request) {
		answer(nil, r)
		<-r.Context().Done() // the server sees the connection's end
		close(closed)
	})
	if err := postIn(t, newClient(t, s), s.URL, 100*time.Millisecond); err == nil || err.Code.Code != classify.Timeout {
		t.Errorf("got %v, want a timeout", err)
	}
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection is still open")
	}
}

// blind is a transport that does not call the trace hooks.
type blind struct{}

func (blind) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("lost") }

func TestARequestOfATransportWithoutTraceCountsAsSent(t *testing.T) {
	t.Parallel()
	if err := post(t.Context(), &http.Client{Transport: blind{}}, "https://vendor.invalid"); err == nil || err.Unsent {
		t.Errorf("got %v, want a request that counts as sent", err)
	}
}
