package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// listening writes a configuration with an http.listen address and an unreachable Redis.
func listening(t *testing.T, address string) string {
	t.Helper()
	return write(t, strings.Replace(shop("redis://127.0.0.1:1/0", "http://127.0.0.1:1", ""), "127.0.0.1:0", address, 1))
}

func TestHealthcheckAsksTheWorkerOfTheConfiguration(t *testing.T) {
	t.Parallel()
	worker := func(status int, text string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/readyz" {
				t.Errorf("got a request for %s, want /readyz", r.URL.Path)
			}
			w.WriteHeader(status)
			_, _ = fmt.Fprintln(w, text)
		}))
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	for _, c := range []struct {
		name, file string
		code       int
		want       string // in the error
	}{
		{"ready", listening(t, worker(200, "ready")), 0, ""},
		{"draining", listening(t, worker(503, "draining")), exitFailed, "503 Service Unavailable: draining"},
		{"no worker", listening(t, "127.0.0.1:1"), exitFailed, "not ready: http.listen 127.0.0.1:1: Get"},
		{"no fixed port", listening(t, "127.0.0.1:0"), exitFailed, "port 0 changes at each start"},
		{"a bad configuration", write(t, "htpp: {}\n"), exitUsage, "htpp"},
		{"no configuration", filepath.Join(t.TempDir(), "none.yaml"), exitUsage, "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			code := run(t.Context(), []string{"healthcheck", "--config", c.file}, &out, &errs)
			if code != c.code || !strings.Contains(errs.String(), c.want) || out.Len() > 0 || code == 0 && errs.Len() > 0 {
				t.Errorf("exit %d, %q, %s; want %d and %s", code, &out, &errs, c.code, c.want)
			}
			if code == exitUsage {
				return
			}
			out.Reset()
			run(t.Context(), []string{"healthcheck", "--json", "--config", c.file}, &out, io.Discard)
			var got struct {
				Ready bool
				Error string
			}
			if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Ready != (c.code == 0) || !strings.Contains(got.Error, c.want) {
				t.Errorf("--json: got %s, %v", &out, err)
			}
		})
	}
}

func TestItPrintsItsVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--version"}, {"version", "--json"}, {"--version", "--json"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != 0 || errs.Len() > 0 || !strings.Contains(out.String(), runtime.Version()) {
			t.Errorf("%q: exit %d, %s%s", args, code, &out, &errs)
		}
		if args[len(args)-1] == "--json" && !json.Valid(out.Bytes()) {
			t.Errorf("%q: %s is not JSON", args, &out)
		}
	}
}
