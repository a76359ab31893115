package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWrongUsageIsRefused(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "faults.json")
	if err := os.WriteFile(bad, []byte(`[{"status":99}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"an unknown flag", []string{"--nothing"}, 2, "unknown flag"},
		{"an argument", []string{"x"}, 2, "unknown command"},
		{"a share over 1", []string{"--invalid", "2"}, 2, "--invalid: want a share between 0 and 1"},
		{"a share that is not a number", []string{"--invalid", "NaN"}, 2, "--invalid: want a share between 0 and 1"},
		{"a negative rate", []string{"--rate", "-1"}, 2, "--rate: want 0 or more"},
		{"a negative latency", []string{"--latency", "-1s"}, 2, "--latency: want a duration of 0 or more"},
		{"a missing file", []string{"--faults", bad + "x"}, 2, "--faults: open"},
		{"a bad rule", []string{"--faults", bad}, 2, "--faults: faults[0].status: must be between 200 and 599"},
		{"no names", []string{"--tls-dir", t.TempDir(), "--tls-names", ""}, 2, "--tls-names: want names"},
		{"a file in place of a folder", []string{"--tls-dir", filepath.Join(bad, "x")}, 1, "--tls-dir: store the certificate"},
		{"a check without names", []string{"healthcheck", "--tls-names", ""}, 2, "--tls-names: want names"},
		{"a check without a simulator", []string{"healthcheck", "--listen", "127.0.0.1:1"}, 1, "connection refused"},
		{"a check without a certificate", []string{"healthcheck", "--tls-dir", filepath.Dir(bad)}, 1, "--tls-dir: open"},
		{"an address that does not exist", []string{"--listen", "256.0.0.1:1"}, 1, "serve: listen"},
		{"an address without a port", []string{"--listen", "localhost"}, 2, `--listen: "localhost" is not host:port`},
		{"a word for a number", []string{"--invalid", "many"}, 2, `--invalid: "many" is not a number`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			if got := run(t.Context(), tt.args, &out, &errs); got != tt.code || !strings.Contains(errs.String(), tt.want) {
				t.Errorf("got %d, %s; want %d, %s", got, &errs, tt.code, tt.want)
			}
			if out.Len() != 0 {
				t.Errorf("got %q on stdout, want nothing", &out)
			}
		})
	}
}

func TestItServesOverTLSAndItsHealthCheckSucceeds(t *testing.T) {
	t.Parallel()
	ctx, signal := context.WithCancel(t.Context())
	defer signal()
	flags := []string{"--tls-dir", t.TempDir(), "--tls-names", "localhost"}
	out, in := io.Pipe()
	done := make(chan int, 1)
	go func() { done <- run(ctx, append(flags, "--json", "--listen", "127.0.0.1:0"), in, io.Discard) }()
	var started struct{ URL string }
	if err := json.NewDecoder(out).Decode(&started); err != nil {
		t.Fatal(err)
	}
	address, secure := strings.CutPrefix(started.URL, "https://")
	if !secure {
		t.Errorf("it serves at %s, want https", started.URL)
	}
	for _, c := range []struct {
		name string
		args []string
		want int
	}{
		{"with the same flags", flags, 0},
		{"for another name", []string{"--tls-dir", flags[1], "--tls-names", "simulator"}, 1},
		{"without TLS", nil, 1},
	} {
		var errs bytes.Buffer
		if got := run(t.Context(), append([]string{"healthcheck", "--listen", address}, c.args...), io.Discard, &errs); got != c.want {
			t.Errorf("%s: exit %d, %s, want %d", c.name, got, &errs, c.want)
		}
	}
	signal()
	if got := <-done; got != 0 {
		t.Errorf("got exit code %d, want 0", got)
	}
}

func TestItPrintsItsVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--version"}, {"--version", "--json"}} {
		var out bytes.Buffer
		if got := run(t.Context(), args, &out, io.Discard); got != 0 || !strings.Contains(out.String(), runtime.Version()) {
			t.Errorf("%q: exit %d, %s", args, got, &out)
		}
	}
}

func TestItServesUntilASignal(t *testing.T) {
	t.Parallel()
	faults := filepath.Join(t.TempDir(), "faults.json")
	if err := os.WriteFile(faults, []byte(`[{"name":"from a file","status":503}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, signal := context.WithCancel(t.Context())
	defer signal()
	out, in := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"--json", "--listen", "127.0.0.1:0", "--faults", faults}, in, io.Discard)
	}()
	var started struct{ URL string }
	if err := json.NewDecoder(out).Decode(&started); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, started.URL+"/_simulator/faults", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(body), "from a file") {
		t.Errorf("got %s, %v; want the rule", body, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	signal()
	if got := <-done; got != 0 {
		t.Errorf("got exit code %d, want 0", got)
	}
}
