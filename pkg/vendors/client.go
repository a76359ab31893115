package vendors

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// NewClient returns the HTTP client that adapters use: TLS verified, redirects
// answered as they are, at most conns connections to one host.
func NewClient(conns int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			OnProxyConnectResponse: refusedByProxy,
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			ForceAttemptHTTP2:      true,
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
