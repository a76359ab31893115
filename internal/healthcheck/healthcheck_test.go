package healthcheck

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func answer(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func TestOnlyStatus200IsHealthy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   string // in the error; "" for none
	}{
		{"healthy", 200, "ready\n", ""},
		{"not ready", 503, "redis is not reachable\nmore", "503 Service Unavailable: redis is not reachable"},
		{"another server listens there", 404, "404 page not found", "404 Not Found: 404 page not found"},
		{"a redirect", 302, "", "302 Found"},
		{"a success status other than 200", 204, "", "204 No Content"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(answer(c.status, c.body))
			defer s.Close()
			err := Server{Listen: s.Listener.Addr().String()}.Check(t.Context(), "/readyz")
			if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "more")) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAServerOnAllAddressesIsAskedOnALoopbackAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ listen, want, wrong string }{
		{"0.0.0.0:8080", "127.0.0.1:8080", ""},
		{"[::]:8080", "[::1]:8080", ""},
		{":8080", "localhost:8080", ""},
		{"10.0.0.7:8080", "10.0.0.7:8080", ""},
		{"127.0.0.1:0", "", "port 0 changes at each start"},
		{"8080", "", `"8080" is not host:port`},
	} {
		got, err := Server{Listen: c.listen}.address()
		if got != c.want || (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: got %q, %v; want %q, %q", c.listen, got, err, c.want, c.wrong)
		}
	}
}

func TestTheServersCertificateIsVerified(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(answer(200, "ready"))
	defer s.Close()
	check := func(roots *x509.CertPool, name string) error {
		return Server{Listen: s.Listener.Addr().String(), TLS: &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12}}.Check(t.Context(), "/readyz")
	}
	good := x509.NewCertPool()
	good.AddCert(s.Certificate())
	if err := check(good, "example.com"); err != nil {
		t.Error(err)
	}
	if check(x509.NewCertPool(), "example.com") == nil || check(good, "simulator") == nil {
		t.Error("a certificate of an unknown authority or for another name was accepted")
	}
}

func TestAPortWithoutAServerIsUnhealthy(t *testing.T) {
	t.Parallel()
	err := Server{Listen: "127.0.0.1:1"}.Check(t.Context(), "/readyz")
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v, want a refused connection", err)
	}
}
