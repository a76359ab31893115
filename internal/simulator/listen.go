package simulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Listen serves on addr, like "127.0.0.1:0", and returns the base URL. stop
// refuses new requests, ends requests that hang, waits for the others until ctx
// ends and for receipts that are being sent, and returns when the server's
// goroutines have ended. A simulator that was stopped still answers through
// ServeHTTP, but no longer delays or hangs.
func (s *Simulator) Listen(addr string) (url string, stop func(context.Context) error, err error) {
	return s.listen(addr, nil)
}

// ListenTLS is Listen over TLS, with HTTP/2 for clients that want it. The URL
// holds the address, which need not be one of the certificate's names.
func (s *Simulator) ListenTLS(addr string, cert tls.Certificate) (url string, stop func(context.Context) error, err error) {
	return s.listen(addr, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
}

func (s *Simulator) listen(addr string, secure *tls.Config) (url string, stop func(context.Context) error, err error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return "", nil, fmt.Errorf("listen: %w", err)
	}
	srv := &http.Server{
		Handler:           s,
		TLSConfig:         secure,
		ReadHeaderTimeout: 10 * time.Second,
		// Half bodies and resets are wanted, so they are not logged.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	served := make(chan error, 1)
	scheme, serve := "http://", srv.Serve
	if secure != nil {
		scheme, serve = "https://", func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
	}
	go func() { served <- serve(l) }()
	return scheme + l.Addr().String(), func(ctx context.Context) error { return s.stop(ctx, srv, served) }, nil
}

func (s *Simulator) stop(ctx context.Context, srv *http.Server, served <-chan error) error {
	s.StopWaiting()
	err := srv.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("shut down: %w", err), srv.Close())
	}
	s.WaitForReceipts()
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve: %w", e))
	}
	return err
}
