package httpx_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const secret = "s3cr3t-in-the-url"

// post makes one request with a client and returns its error.
func post(ctx context.Context, client *http.Client, address string) *vendors.Error {
	req, err := httpx.Post(ctx, "send", address+"/send?key="+secret, "text/plain", []byte("hello"))
	if err == nil {
		_, err = httpx.Do(client, "send", req)
	}
	if err == nil {
		return nil
	}
	v, ok := errors.AsType[*vendors.Error](err)
	if !ok {
		panic("not a *vendors.Error: " + err.Error())
	}
	return v
}

// transport returns the client's transport, so that tests can shorten its timeouts.
func transport(c *http.Client) *http.Transport { return c.Transport.(*http.Transport) }

// newClient returns a client that trusts the server's certificate, if there is one.
func newClient(t *testing.T, trusted *httptest.Server) *http.Client {
	t.Helper()
	c := httpx.NewClient(1)
	if trusted != nil {
		transport(c).TLSClientConfig.RootCAs = x509.NewCertPool()
		transport(c).TLSClientConfig.RootCAs.AddCert(trusted.Certificate())
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// listen accepts connections, calls handle with each, and returns the address.
func listen(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			go handle(c)
		}
	}()
	return l.Addr().String()
}

// closedPort returns an address on which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// through makes the client use a proxy for every request.
func through(c *http.Client, proxy string) *http.Client {
	transport(c).Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: proxy, User: url.UserPassword("me", secret)})
	return c
}

// swallow reads everything and never answers.
func swallow(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// proxyAnswering answers the CONNECT, and nothing after it.
func proxyAnswering(status string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil && status != "" {
			_, _ = io.WriteString(c, "HTTP/1.1 "+status+"\r\n\r\n")
			swallow(c)
		}
		_ = c.Close()
	}
}

func TestARequestIsUnsentIfNoByteWasWritten(t *testing.T) {
	t.Parallel()
	const vendor, handshakeTimeout = "https://vendor.invalid", "TLS handshake timeout"
	ended := func() context.Context {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return ctx
	}
	soon := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	for name, c := range map[string]struct {
		address string
		client  func(*http.Client) *http.Client
		ctx     func() context.Context
		says    string
		code    string // "": dial
	}{
		"the vendor's port is closed":               {address: "https://" + closedPort(t), says: "connection refused"},
		"the vendor never answers the handshake":    {address: "https://" + listen(t, swallow), says: handshakeTimeout},
		"the vendor hangs up in the handshake":      {address: "https://" + listen(t, func(c net.Conn) { _ = c.Close() })},
		"the vendor does not use TLS":               {address: "https://" + listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 "+secret+"\r\n\r\n") })},
		"the certificate is not trusted":            {address: serve(t, true, nil).URL, says: "certificate"},
		"the deadline ends in the handshake":        {address: "https://" + listen(t, swallow), ctx: soon},
		"the context ended before":                  {address: serve(t, false, nil).URL, ctx: ended, code: classify.Canceled},
		"the proxy's port is closed":                {address: vendor, client: via(closedPort(t)), says: "connection refused"},
		"the proxy wants a password":                {address: vendor, client: via(listen(t, proxyAnswering("407 "+secret))), says: "HTTP 407 to CONNECT"},
		"the proxy forbids the vendor":              {address: vendor, client: via(listen(t, proxyAnswering("403 "+secret))), says: "HTTP 403 to CONNECT"},
		"the proxy cannot reach the vendor":         {address: vendor, client: via(listen(t, proxyAnswering("502 "+secret))), says: "HTTP 502 to CONNECT"},
		"the proxy hangs up":                        {address: vendor, client: via(listen(t, proxyAnswering("")))},
		"the proxy never answers":                   {address: vendor, client: via(listen(t, swallow)), ctx: soon},
		"the handshake after the CONNECT times out": {address: vendor, client: via(listen(t, proxyAnswering("200 OK"))), says: handshakeTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, ctx := newClient(t, nil), t.Context()
			if c.says == handshakeTimeout {
				transport(client).TLSHandshakeTimeout = 100 * time.Millisecond
			}
			if c.client != nil {
				client = c.client(client)
			}
			if c.ctx != nil {
				ctx = c.ctx()
			}
			err := post(ctx, client, c.address)
			switch {
			case err == nil:
				t.Fatal("no error")
			case !err.Unsent:
				t.Errorf("counts as sent: %v", err)
			case err.Code.Level != classify.Transport || err.Code.Code != cmp.Or(c.code, classify.Dial):
				t.Errorf("the code is %v", err.Code)
			case !strings.Contains(err.Error(), c.says):
				t.Errorf("got %q, want it to say %q", err, c.says)
			case strings.Contains(err.Error(), secret):
				t.Errorf("%q contains a secret", err)
			}
		})
	}
}

func via(proxy string) func(*http.Client) *http.Client {
	return func(c *http.Client) *http.Client { return through(c, proxy) }
}

// serve starts a TLS server, with or without HTTP/2. If h is nil, it answers 404.
func serve(t *testing.T, h2 bool, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = h2
	s.Config.ErrorLog = discard
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

var discard = log.New(io.Discard, "", 0)

func TestARequestThatTheVendorMayHaveReadCountsAsSent(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"no answer in time":     func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"the connection breaks": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"half an answer, and the rest not in time": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
		"half an answer, then the connection breaks": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		for protocol, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
			for used, warm := range map[string]bool{"new connection": false, "used connection": true} {
				t.Run(name+", "+protocol+", "+used, func(t *testing.T) {
					t.Parallel()
					var calls atomic.Int32
					s := serve(t, h2, func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body)
						if calls.Add(1) > 1 || !warm {
							answer(w, r)
						}
					})
					client := newClient(t, s)
					if warm {
						if err := post(t.Context(), client, s.URL); err != nil {
							t.Fatal(err)
						}
					}
					ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // dialing is part of it
					defer cancel()
					err := post(ctx, client, s.URL)
					if err == nil || err.Unsent {
						t.Errorf("got %v, unsent %v", err, err != nil && err.Unsent)
					}
				})
			}
		}
	}
}

// late sends a well-formed answer after the request's context has ended, as a
// server may do when it sees the client close the connection.
type late struct{ length int64 }

func (l late) RoundTrip(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Request: req, ContentLength: l.length, Body: http.NoBody,
	}, nil
}

func TestAnAnswerAfterTheClientHungUpIsATimeout(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]int64{"of a known length": 0, "of an unknown length": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			err := post(ctx, &http.Client{Transport: late{length}}, "https://vendor.invalid")
			if err == nil || err.Unsent || err.Code.Code != classify.Timeout {
				t.Errorf("got %v, want a timeout of a request that may have been read", err)
			}
		})
	}
}

func TestAUsedConnectionThatIsGoneDoesNotMakeARequestSent(t *testing.T) {
	t.Parallel()
	for protocol, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			s := serve(t, h2, func(http.ResponseWriter, *http.Request) {})
			client := newClient(t, s)
			if err := post(t.Context(), client, s.URL); err != nil {
				t.Fatal(err)
			}
			s.Close()
			for range 100 {
				// The client closes its connection as soon as it reads that the server closed it.
				if err := post(t.Context(), client, s.URL); err == nil {
					t.Fatal("no error")
				} else if err.Unsent {
					return
				}
			}
			t.Error("a request to a closed port never counts as unsent")
		})
	}
}

func TestARequestThatWaitsForAConnectionIsUnsent(t *testing.T) {
	t.Parallel()
	busy, done := make(chan struct{}), make(chan struct{})
	s := serve(t, false, func(http.ResponseWriter, *http.Request) {
		close(busy)
		<-done
	})
	client := newClient(t, s) // with one connection
	go func() {
		defer close(done)
		<-busy
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := post(ctx, client, s.URL); err == nil || !err.Unsent {
			t.Errorf("got %v, want an unsent request", err)
		}
	}()
	if err := post(t.Context(), client, s.URL); err != nil {
		t.Error(err)
	}
}
