package compose

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
)

// hold is the vendor that answers 503 while a fault strikes, so that a job is
// sure to have pending tokens all the time. Its flow control uses no attempts.
const hold = "huawei"

// vendors is the simulator's administration.
type vendors struct {
	*testing.T
	url    string
	client *http.Client
}

// newVendors reaches the simulator with the certificate authority that it made.
func newVendors(s *system) *vendors {
	s.Helper()
	dir := s.TempDir()
	s.must("docker", "cp", s.container("simulator")+":/certs/"+simulator.CAFile, dir)
	text, err := os.ReadFile(filepath.Join(dir, simulator.CAFile))
	if err != nil {
		s.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &vendors{s.T, "https://" + s.address("simulator", "8443"), &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}, DisableKeepAlives: true},
	}}
}

func (v *vendors) do(method, path string, body, answer any) {
	v.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		v.Fatal(err)
	}
	req, err := http.NewRequestWithContext(v.Context(), method, v.url+path, bytes.NewReader(text))
	if err != nil {
		v.Fatal(err)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		v.Fatalf("%s %s: %s, %v: %s", method, path, resp.Status, err, got)
	}
	if answer != nil {
		if err := json.Unmarshal(got, answer); err != nil {
			v.Fatal(err)
		}
	}
}

// misbehave has the vendors answer late, some of them with 503 at times, and
// one of them, if held, with nothing but 503.
func (v *vendors) misbehave(held bool) {
	v.Helper()
	const late = simulator.Duration(5 * time.Second)
	faults := []simulator.Fault{
		{Name: "busy", Endpoint: "send", Status: http.StatusServiceUnavailable, Probability: 0.05},
		// Late by half of a request's timeout, before or after the vendor accepted
		// the tokens: a worker that dies meanwhile leaves either behind.
		{Name: "accepted, and late", Endpoint: "send", Accept: true, Delay: late, Probability: 0.5},
		{Name: "late", Endpoint: "send", Delay: late},
	}
	if held {
		faults = append([]simulator.Fault{{Name: "held", Vendor: hold, Endpoint: "send", Status: http.StatusServiceUnavailable}}, faults...)
	}
	v.do(http.MethodPut, "/_simulator/faults", faults, nil)
}

func (v *vendors) report() simulator.Report {
	v.Helper()
	var r simulator.Report
	v.do(http.MethodGet, "/_simulator/report", nil, &r)
	return r
}

// duplicates is how often a vendor accepted a token once more.
func (v *vendors) duplicates() (n int64) {
	v.Helper()
	for _, seen := range v.report().Vendors {
		n += seen.Duplicates
	}
	return n
}
