// Package httpx makes the one HTTP call that every adapter makes: a client that
// notices dead connections, a request without redirects or retries, an answer
// that is read whole, and an error that says whether the vendor can have seen
// the request. It also checks the addresses in settings, and removes tokens and
// secrets from what a vendor said.
//
// It knows no vendor. It never repeats a request, and it never logs.
package httpx

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// How long a dead connection may stay unnoticed. Some middleboxes drop connections
// without telling either side, and what is written to them is lost. The sum is
// less than the default timeout of a request.
const (
	// pingAfter is the silence after which an HTTP/2 connection is pinged, in use or idle.
	pingAfter = 5 * time.Second
	// pingTimeout is how long the answer to a ping may take.
	pingTimeout = 3 * time.Second
	// writeTimeout is how long a write may make no progress.
	writeTimeout = 5 * time.Second
)

// keepAlive makes the kernel probe idle connections. HTTP/1.1 has no pings.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// NewClient returns the HTTP client that adapters use. It verifies TLS, does not
// follow redirects, opens at most conns connections to one host, and closes dead
// ones soon.
func NewClient(conns int) *http.Client {
	p := &pool{dialer: net.Dialer{Timeout: 5 * time.Second, KeepAliveConfig: keepAlive}}
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			OnProxyConnectResponse: refusedByProxy,
			DialContext:            p.dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			ForceAttemptHTTP2:      true,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: writeTimeout},
			MaxIdleConns:           0,
			MaxIdleConnsPerHost:    conns,
			MaxConnsPerHost:        conns,
			IdleConnTimeout:        90 * time.Second,
			ExpectContinueTimeout:  time.Second,
			WriteBufferSize:        64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// pool counts the answers that came over a client's connections.
type pool struct {
	dialer  net.Dialer
	answers atomic.Uint64
}

// conn is one of a pool's connections.
type conn struct {
	net.Conn
	pool    *pool
	answers atomic.Uint64
}

func (p *pool) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := p.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, pool: p}, nil
}

// connOf returns the connection below TLS. nil: NewClient did not make the client.
func connOf(c net.Conn) *conn {
	for {
		switch below := c.(type) {
		case *conn:
			return below
		case interface{ NetConn() net.Conn }: // *tls.Conn
			c = below.NetConn()
		default:
			return nil
		}
	}
}

// connUse is one request's use of a connection. The counts show later whether
// other requests got answers meanwhile.
type connUse struct {
	begun          bool
	conn           *conn  // nil: unknown
	ofConn, ofPool uint64 // the answers counted when the use began
}

func begin(c net.Conn) connUse {
	u := connUse{begun: true, conn: connOf(c)}
	if u.conn != nil {
		u.ofConn, u.ofPool = u.conn.answers.Load(), u.conn.pool.answers.Load()
	}
	return u
}

// answered records that the request got an answer.
func (u connUse) answered() {
	if u.conn != nil {
		u.conn.answers.Add(1)
		u.conn.pool.answers.Add(1)
	}
}

// timedOut handles a request that got no answer in time. If no request got one
// over the same connection meanwhile, the connection is closed, together with the
// other requests on it, since it may be dead. If no request got one over any
// connection, idle connections are closed too.
func (u connUse) timedOut(client *http.Client) {
	if u.conn == nil {
		return
	}
	if u.conn.answers.Load() == u.ofConn {
		_ = u.conn.Close() // below TLS, whose Close would wait for a last write
	}
	if u.conn.pool.answers.Load() == u.ofPool {
		client.CloseIdleConnections()
	}
}
