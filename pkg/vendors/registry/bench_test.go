package registry_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

const (
	testAccess = "access-token-of-the-suite"
	testKey    = "0123456789abcdef0123456789abcdef"
	testSaved  = "name-of-the-saved-message"
)

// bench is one vendor's adapter, opened with its testdata/settings.yaml against
// a server on the loopback that answers what a test says and counts requests.
type bench struct {
	spec     vendors.Spec
	server   *httptest.Server
	settings vendors.Settings
	vendor   vendors.Vendor
	tokens   []string // testdata/tokens.txt, one a line
	secrets  []string // the Secret fields of the settings, a private key line by line

	respond  atomic.Value // http.HandlerFunc
	requests atomic.Int64
	mu       sync.Mutex
	last     *http.Request
	body     []byte
}

// each runs a test for every vendor of the registry.
func each(t *testing.T, test func(t *testing.T, spec vendors.Spec)) {
	t.Helper()
	t.Parallel()
	for _, spec := range registry.All() {
		t.Run(spec.Name, func(t *testing.T) {
			t.Parallel()
			test(t, spec)
		})
	}
}

func newBench(t *testing.T, spec vendors.Spec) *bench { return newBenchWith(t, spec, "settings.yaml") }

func newBenchWith(t *testing.T, spec vendors.Spec, settings string) *bench {
	t.Helper()
	b := &bench{spec: spec, tokens: strings.Split(strings.TrimSpace(read(t, spec, "tokens.txt")), "\n")}
	b.server = httptest.NewServer(http.HandlerFunc(b.serve))
	t.Cleanup(b.server.Close)
	client := httpx.NewClient(8)
	t.Cleanup(client.CloseIdleConnections)
	b.settings = spec.Settings()
	text := strings.ReplaceAll(read(t, spec, settings), "%BASE%", b.server.URL)
	if err := yaml.NewDecoder(strings.NewReader(text), yaml.Strict()).Decode(b.settings); err != nil {
		t.Fatalf("decode %s: %v", settings, err)
	}
	if faults := b.settings.Faults(); len(faults) > 0 {
		t.Fatalf("%s has faults: %v", settings, faults)
	}
	b.secrets = secretsOf(b.settings)
	b.vendor = b.settings.Open(client)
	return b
}

func secretsOf(s vendors.Settings) []string {
	var secrets []string
	for _, field := range reflect.ValueOf(s).Elem().Fields() {
		if secret, ok := reflect.TypeAssert[vendors.Secret](field); ok && !secret.Empty() {
			secrets = append(secrets, linesOf(secret)...)
		}
	}
	return secrets
}

// linesOf returns a secret whole, or the lines of a PEM block: each gives the
// key away, and encoders break the block up.
func linesOf(secret vendors.Secret) []string {
	var lines []string
	for line := range strings.Lines(secret.Reveal()) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "-----") {
			lines = append(lines, line)
		}
	}
	return lines
}

func (b *bench) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	b.requests.Add(1)
	b.mu.Lock()
	b.last, b.body = r, body
	b.mu.Unlock()
	b.respond.Load().(http.HandlerFunc)(w, r)
}

// answer makes the server answer with these bytes, status line included, and
// close the connection.
func (b *bench) answer(raw string) {
	b.handle(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, raw)
		_ = conn.Close()
	})
}

func (b *bench) handle(h http.HandlerFunc) { b.respond.Store(h) }

// fill replaces the placeholders of a fixture that repeats what it was sent.
func (b *bench) fill(fixture string) string {
	secret := ""
	if len(b.secrets) > 0 {
		secret = b.secrets[0]
	}
	return strings.NewReplacer("%TOKEN%", b.tokens[0], "%ACCESS%", testAccess, "%SECRET%", secret).Replace(fixture)
}

func (b *bench) request() *vendors.Request {
	return b.ready(&vendors.Request{
		Message: &push.Message{Title: "title", Body: "body"},
		Tokens:  b.tokens,
		TTL:     time.Hour,
		Key:     testKey,
		Access:  testAccess,
		Now:     time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC),
	})
}

// ready gives a request the saved message that it needs, if it needs one.
func (b *bench) ready(r *vendors.Request) *vendors.Request {
	if s, ok := b.vendor.(vendors.Uploader); ok && s.NeedsUpload(r) {
		r.UploadID = testSaved
	}
	return r
}

// takeTokens replaces the tokens by a fixture's own, if it has some.
func (b *bench) takeTokens(t *testing.T, fixture string) {
	t.Helper()
	name := fixture + ".tokens.txt"
	if _, err := os.Stat(testdata(b.spec, name)); err == nil {
		b.tokens = strings.Split(strings.TrimSpace(read(t, b.spec, name)), "\n")
	}
}

// send sends and fails the test unless exactly one request was made.
func (b *bench) send(ctx context.Context, t *testing.T) (vendors.Answer, error) {
	t.Helper()
	before := b.requests.Load()
	answer, err := b.vendor.Send(ctx, b.request())
	if n := b.requests.Load() - before; n != 1 {
		t.Errorf("Send made %d requests, want 1", n)
	}
	b.noLeak(t, answer, err)
	return answer, err
}

// granter returns the adapter if it has a token endpoint.
func (b *bench) granter() (vendors.Granter, bool) {
	g, ok := b.vendor.(vendors.Granter)
	return g, ok && !signs(b.spec)
}

// grant is send for the token endpoint.
func (b *bench) grant(ctx context.Context, t *testing.T, g vendors.Granter) (vendors.Grant, error) {
	t.Helper()
	before := b.requests.Load()
	grant, err := g.Grant(ctx, time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC))
	if n := b.requests.Load() - before; n != 1 {
		t.Errorf("Grant made %d requests, want 1", n)
	}
	b.noLeak(t, vendors.Answer{}, err)
	return grant, err
}

// noLeak looks for tokens and secrets in everything that may be logged.
func (b *bench) noLeak(t *testing.T, a vendors.Answer, err error) {
	t.Helper()
	said := []string{a.Code.Text, a.RequestID}
	for _, tc := range a.Tokens {
		said = append(said, tc.Code.String(), tc.Code.Text)
	}
	if err != nil {
		said = append(said, err.Error())
	}
	for _, s := range said {
		b.clean(t, s)
	}
}

func (b *bench) clean(t *testing.T, said string) {
	t.Helper()
	for _, hidden := range append(append([]string{testAccess}, b.secrets...), b.tokens...) {
		if len(hidden) > 3 && strings.Contains(said, hidden) {
			t.Errorf("a token or secret stands in %q", said)
		}
	}
}

func testdata(spec vendors.Spec, name string) string {
	return filepath.Join("..", spec.Name, "testdata", filepath.FromSlash(name))
}

// read returns a file of the vendor's testdata; a vendor without it fails.
func read(t *testing.T, spec vendors.Spec, name string) string {
	t.Helper()
	b, err := os.ReadFile(testdata(spec, name))
	if err != nil {
		t.Fatalf("every vendor needs this file: %v", err)
	}
	return string(b)
}

// fixtures returns the names, without ext, of the files in a testdata folder.
func fixtures(t *testing.T, spec vendors.Spec, folder, ext string) []string {
	t.Helper()
	paths, err := filepath.Glob(testdata(spec, folder+"/*"+ext))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s has no testdata/%s/*%s (%v)", spec.Name, folder, ext, err)
	}
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = strings.TrimSuffix(filepath.Base(p), ext)
	}
	return names
}

// received returns the last request and its body.
func (b *bench) received() (*http.Request, []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last, bytes.Clone(b.body)
}
