package httpx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// exchange is one HTTP request and its answer. It records which connection the
// request got, and whether the vendor can have seen any part of it.
type exchange struct {
	request *http.Request
	trace   httptrace.ClientTrace
	use     connUse
	unsent  bool // not a byte of the request was written
}

func newExchange(req *http.Request) *exchange {
	x := &exchange{}
	// Both functions run in the goroutine that calls http.Client.Do. A transport
	// that is not net/http's calls neither: it may have sent the request.
	x.trace.GetConn = func(string) {
		// net/http looks for another connection for a POST only when the first one
		// took no byte of it, or the vendor said by HTTP/2 that it did not process it
		// (RFC 9113, 8.7). It repeats a GET in other cases too.
		x.unsent = x.unsent || !x.use.begun || req.Method == http.MethodPost
	}
	x.trace.GotConn = func(info httptrace.GotConnInfo) { x.unsent, x.use = false, begin(info.Conn) }
	x.request = req.WithContext(httptrace.WithClientTrace(req.Context(), &x.trace))
	return x
}

// failed returns the error of a request that has no answer.
func (x *exchange) failed(client *http.Client, op string, err error) *vendors.Error {
	code, other := classify.Broken, errNotHTTP
	if x.unsent {
		code, other = classify.Dial, errNoConnection
	}
	var netErr net.Error
	switch ended := x.request.Context().Err(); {
	case errors.Is(ended, context.Canceled):
		code = classify.Canceled
	case x.unsent:
	case ended != nil, errors.As(err, &netErr) && netErr.Timeout():
		code = classify.Timeout
		x.use.timedOut(client)
	}
	return &vendors.Error{Op: op, Code: classify.Code{Level: classify.Transport, Code: code}, Unsent: x.unsent, Err: cause(err, other)}
}

var (
	errNoConnection = errors.New("no connection")
	errNotHTTP      = errors.New("the answer is not HTTP")
	errAddress      = errors.New("the address is not a URL")
)

// proxyError says how a proxy answered the CONNECT.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy answered HTTP %d to CONNECT, want 200: check HTTPS_PROXY", e.status)
}

// refusedByProxy is for http.Transport.OnProxyConnectResponse. net/http's own error
// would quote the proxy's answer.
func refusedByProxy(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode != http.StatusOK {
		return &proxyError{resp.StatusCode}
	}
	return nil
}

// cause removes the URL from an error of net/http. It keeps errors that name only
// addresses and certificates. Any other error is replaced by other, since it may quote
// what the vendor or a proxy sent.
func cause(err, other error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	var (
		op     *net.OpError
		dns    *net.DNSError
		cert   *tls.CertificateVerificationError
		alert  tls.AlertError
		netErr net.Error
		proxy  *proxyError
	)
	switch {
	case errors.As(err, &op), errors.As(err, &dns), errors.As(err, &cert), errors.As(err, &alert), errors.As(err, &netErr), errors.As(err, &proxy),
		errors.Is(err, context.Canceled), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return other
}
