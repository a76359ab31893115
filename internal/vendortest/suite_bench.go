package vendortest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const (
	testAccess = "access-token-of-the-suite"
	testKey    = "0123456789abcdef0123456789abcdef"
	testUpload = "name-of-the-saved-message"
)

func testNow() time.Time { return time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC) }

// bench is an adapter opened with the vendor's settings for tests, and a local
// server that gives the answers of a check and counts requests.
type bench struct {
	*suite
	server   *httptest.Server
	settings vendors.Settings
	vendor   vendors.Vendor
	tokens   []string
	secrets  []string // the Secret fields of the settings; a private key as its lines

	respond  atomic.Value // http.HandlerFunc
	requests atomic.Int64
	mu       sync.Mutex
	last     *http.Request
	body     []byte
}

// bench opens the adapter.
func (s *suite) bench() *bench {
	s.Helper()
	return s.benchFor("")
}

// benchFor opens the adapter with the settings and tokens of a fixture, if it has
// its own.
func (s *suite) benchFor(fixture string) *bench {
	s.Helper()
	own := func(file string) string {
		if fixture != "" && s.has(fixture+"."+file) {
			return fixture + "." + file
		}
		return file
	}
	b := &bench{suite: s, tokens: s.lines(own("tokens.txt"))}
	b.server = httptest.NewServer(http.HandlerFunc(b.serve))
	s.Cleanup(b.server.Close)
	client := httpx.NewClient(8)
	s.Cleanup(client.CloseIdleConnections)
	b.settings = s.settings(own("settings.yaml"), b.server.URL)
	b.secrets = secretsOf(b.settings)
	b.vendor = b.settings.Open(client)
	return b
}

// settings decodes and checks settings of a fixture.
func (s *suite) settings(name, base string) vendors.Settings {
	s.Helper()
	settings := s.spec.Settings()
	text := strings.ReplaceAll(s.read(name), "%BASE%", base)
	if err := yaml.NewDecoder(strings.NewReader(text), yaml.Strict()).Decode(settings); err != nil {
		s.Fatalf("decode %s: %v", name, err)
	}
	if faults := settings.Faults(); len(faults) > 0 {
		s.Fatalf("%s has faults: %v", name, faults)
	}
	return settings
}

func secretsOf(settings vendors.Settings) []string {
	var secrets []string
	for f, field := range reflect.ValueOf(settings).Elem().Fields() {
		if !f.IsExported() {
			continue
		}
		if secret, ok := reflect.TypeAssert[vendors.Secret](field); ok && !secret.Empty() {
			secrets = append(secrets, linesOf(secret)...)
		}
	}
	return secrets
}

// linesOf returns the whole secret, or the lines of a PEM block: encoders split the
// block, and no line of it may be printed.
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

// received returns the last request and its body.
func (b *bench) received() (*http.Request, []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last, bytes.Clone(b.body)
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

// succeed makes the server accept everything.
func (b *bench) succeed() {
	b.Helper()
	b.answer(b.fill(b.read("answers/success.http")))
}

// fill replaces the placeholders of a fixture with values of the request.
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
		Now:     testNow(),
	})
}

// ready sets the UploadID of a request that needs one.
func (b *bench) ready(r *vendors.Request) *vendors.Request {
	if u, ok := b.vendor.(vendors.Uploader); ok && u.NeedsUpload(r) {
		r.UploadID = testUpload
	}
	return r
}

// once makes a call and reports it if it was not exactly one request.
func (b *bench) once(what string, call func()) {
	b.Helper()
	before := b.requests.Load()
	call()
	if n := b.requests.Load() - before; n != 1 {
		b.Errorf("%s made %d requests, want 1", what, n)
	}
}

// send sends the usual request.
func (b *bench) send(ctx context.Context) (answer vendors.Answer, err error) {
	b.Helper()
	b.once("Send", func() { answer, err = b.vendor.Send(ctx, b.request()) })
	b.noLeak(answer, err)
	return answer, err
}

// granter returns the adapter if it has a token endpoint.
func (b *bench) granter() (vendors.Granter, bool) {
	g, ok := b.vendor.(vendors.Granter)
	return g, ok && !b.signs()
}

// grant asks for an access token.
func (b *bench) grant(ctx context.Context, g vendors.Granter) (grant vendors.Grant, err error) {
	b.Helper()
	b.once("Grant", func() { grant, err = g.Grant(ctx, testNow()) })
	b.noLeak(vendors.Answer{}, err)
	return grant, err
}

// noLeak looks for tokens and secrets in everything that may be logged.
func (b *bench) noLeak(a vendors.Answer, err error) {
	b.Helper()
	said := []string{a.Code.Text, a.RequestID}
	for _, tc := range a.Tokens {
		said = append(said, tc.Code.String(), tc.Code.Text)
	}
	if err != nil {
		said = append(said, err.Error())
	}
	for _, text := range said {
		b.clean(text)
	}
}

// clean reports a text with a token or a secret in it. It ignores those of at most
// three characters, which may be parts of words.
func (b *bench) clean(text string) {
	b.Helper()
	for _, hidden := range append(append([]string{testAccess}, b.secrets...), b.tokens...) {
		if len(hidden) > 3 && strings.Contains(text, hidden) {
			b.Errorf("a token or a secret is in %q", text)
		}
	}
}
