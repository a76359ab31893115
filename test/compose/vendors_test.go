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

// blocked is the vendor that answers 503 during a fault, so that a job always has
// pending tokens. Flow control uses no attempts.
const blocked = "huawei"

// vendors is a client of the simulator's administration.
type vendors struct {
	*testing.T
	url    string
	client *http.Client
}

// newVendors returns a client that trusts the simulator's certificate authority.
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

// setFaults makes the vendors answer late and sometimes with 503. With block, the
// vendor blocked answers only 503.
func (v *vendors) setFaults(block bool) {
	v.Helper()
	const late = simulator.Duration(5 * time.Second)
	faults := []simulator.Fault{
		{Name: "busy", Endpoint: "send", Status: http.StatusServiceUnavailable, Probability: 0.05},
		// Late by half of a request's timeout, before or after the vendor accepted the
		// tokens, so that a crash of a worker can happen in both states.
		{Name: "accepted, and late", Endpoint: "send", Accept: true, Delay: late, Probability: 0.5},
		{Name: "late", Endpoint: "send", Delay: late},
	}
	if block {
		faults = append([]simulator.Fault{{Name: "blocked", Vendor: blocked, Endpoint: "send", Status: http.StatusServiceUnavailable}}, faults...)
	}
	v.do(http.MethodPut, "/_simulator/faults", faults, nil)
}

func (v *vendors) report() simulator.Report {
	v.Helper()
	var r simulator.Report
	v.do(http.MethodGet, "/_simulator/report", nil, &r)
	return r
}

// duplicates counts how often vendors accepted a token again.
func (v *vendors) duplicates() (n int64) {
	v.Helper()
	for _, seen := range v.report().Vendors {
		n += seen.Duplicates
	}
	return n
}
