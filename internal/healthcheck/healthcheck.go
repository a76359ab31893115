// Package healthcheck asks a server on this machine whether it is healthy, for
// commands that a container runtime runs next to the server.
//
// It knows how to reach a server by the address that it listens on. It does not
// know what makes the server healthy.
package healthcheck

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// timeout bounds one check.
const timeout = 5 * time.Second

// Server is the server to ask.
type Server struct {
	// Listen is the address that it listens on, as host:port. A server on all
	// addresses is asked on a loopback address.
	Listen string
	// TLS is nil for a server that speaks plain HTTP.
	TLS *tls.Config
}

// Check makes one request without a proxy, and returns an error unless the
// answer is 200. The error holds the answer's first line.
func (s Server) Check(ctx context.Context, path string) error {
	host, err := s.address()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	scheme := "http"
	if s.TLS != nil {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+host+path, http.NoBody)
	if err != nil {
		return err
	}
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: s.TLS, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(io.LimitReader(resp.Body, 200))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		line, _, _ := strings.Cut(string(body), "\n")
		return fmt.Errorf("GET %s: %s: %s", req.URL, resp.Status, line)
	}
	return nil
}

// address returns where this machine reaches the server.
func (s Server) address() (string, error) {
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return "", fmt.Errorf("%q is not host:port, like 127.0.0.1:8080", s.Listen)
	}
	if port == "0" {
		return "", errors.New("port 0 changes at each start: set a fixed port")
	}
	if host == "" {
		host = "localhost"
	} else if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port), nil
}
