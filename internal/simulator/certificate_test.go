package simulator

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

var certNames = []string{"simulator", "localhost", "127.0.0.1"}

// certAt asks for a certificate as a simulator started at that time would, and
// returns what the folder then holds.
func certAt(t *testing.T, dir string, now time.Time, names ...string) (tls.Certificate, map[string]string) {
	t.Helper()
	cert, err := Certificate(dir, names, now)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(text)
	}
	return cert, files
}

func TestOnlyTheServersKeyIsStored(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "certs")
	_, files := certAt(t, dir, time.Now(), certNames...)
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, []string{"ca.pem", "server.key", "server.pem"}) {
		t.Fatalf("the folder holds %q", got)
	}
	for name, mode := range map[string]os.FileMode{"ca.pem": 0o644, "server.pem": 0o644, "server.key": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; want mode %v", name, info.Mode(), err, mode)
		}
		if key := strings.Contains(files[name], "PRIVATE KEY"); key != (name == "server.key") {
			t.Errorf("%s holds a private key: %v", name, key)
		}
	}
	// The only key is the server's, not the authority's.
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "server.key")); err == nil {
		t.Error("the key of the authority is stored")
	}
}

func TestACertificateIsUsedAgainWhileItIsFit(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	other := func(t *testing.T, dir, name string) {
		t.Helper()
		elsewhere := t.TempDir()
		_, files := certAt(t, elsewhere, start, certNames...)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(files[name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		now   time.Time
		names []string
		again bool
	}{
		{"the next day", nil, start.Add(24 * time.Hour), certNames, true},
		{"31 days before it expires", nil, start.Add(certLife - 31*24*time.Hour), certNames, true},
		{"29 days before it expires", nil, start.Add(certLife - 29*24*time.Hour), certNames, false},
		{"for another host", nil, start, []string{"simulator", "other", "127.0.0.1"}, false},
		{"for another address", nil, start, []string{"simulator", "localhost", "127.0.0.2"}, false},
		{"for fewer names", nil, start, []string{"simulator"}, false},
		{"another's authority", func(t *testing.T, dir string) { other(t, dir, "ca.pem") }, start, certNames, false},
		{"another's certificate", func(t *testing.T, dir string) { other(t, dir, "server.pem") }, start, certNames, false},
		{"another's key", func(t *testing.T, dir string) { other(t, dir, "server.key") }, start, certNames, false},
		{"a file is missing", func(t *testing.T, dir string) { _ = os.Remove(filepath.Join(dir, "ca.pem")) }, start, certNames, false},
		{"a file is empty", func(t *testing.T, dir string) { _ = os.Truncate(filepath.Join(dir, "ca.pem"), 0) }, start, certNames, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first, _ := certAt(t, dir, start, certNames...)
			if c.spoil != nil {
				c.spoil(t, dir)
			}
			second, _ := certAt(t, dir, c.now, c.names...)
			if again := bytes.Equal(first.Certificate[0], second.Certificate[0]); again != c.again {
				t.Errorf("used again: %v, want %v", again, c.again)
			}
			if third, _ := certAt(t, dir, c.now, c.names...); !bytes.Equal(third.Certificate[0], second.Certificate[0]) {
				t.Error("it is made again at each start")
			}
		})
	}
}

func TestACertificateNeedsNamesAndAFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir   string
		names []string
		want  string
	}{
		{t.TempDir(), nil, "needs names"},
		{t.TempDir(), []string{"simulator", ""}, "needs names"},
		{filepath.Join(file, "x"), certNames, "store the certificate"},
	} {
		if _, err := Certificate(c.dir, c.names, time.Now()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.names, err, c.want)
		}
	}
}

// A client that trusts the folder's authority, and no other, is served by the
// names, over HTTP/2 where it can; a reset is a reset there too.
func TestListenTLSServesWhoTrustsTheAuthority(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, _ := certAt(t, dir, time.Now(), certNames...)
	roots, err := Authority(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := New(play.Options{})
	if err := s.SetFaults([]play.Fault{{Endpoint: "token", Reset: true}}); err != nil {
		t.Fatal(err)
	}
	url, stop, err := s.ListenTLS("127.0.0.1:0", cert)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := stop(ctx); err != nil {
			t.Error(err)
		}
	}()
	// ask returns the protocol's major version of an answer with status 200.
	ask := func(config *tls.Config, http2 bool, path string) (int, error) {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: http2}}
		defer client.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return 0, errors.New(resp.Status)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.ProtoMajor, err
	}
	for _, name := range certNames {
		for http2, want := range map[bool]int{false: 1, true: 2} {
			got, err := ask(&tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12}, http2, "/_simulator/reset")
			if err != nil || got != want {
				t.Errorf("%s: got HTTP/%d, %v; want HTTP/%d", name, got, err, want)
			}
		}
	}
	trusting := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if _, err := ask(trusting, false, "/oauth2/v3/token"); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a reset: got %v", err)
	}
	if _, err := ask(trusting, true, "/oauth2/v3/token"); err == nil {
		t.Error("a reset over HTTP/2: got an answer")
	}
	if _, err := ask(&tls.Config{RootCAs: roots, ServerName: "elsewhere", MinVersion: tls.VersionTLS12}, false, "/_simulator/reset"); err == nil {
		t.Error("the certificate holds for a name that it is not for")
	}
	if _, err := ask(&tls.Config{MinVersion: tls.VersionTLS12}, false, "/_simulator/reset"); err == nil {
		t.Error("a client that trusts public authorities only was served")
	}
}
