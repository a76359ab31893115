package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestMain(m *testing.M) {
	logging.Disable() // as main does
	redistest.Main(m)
}

// buffer is a stream that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
	// written gets the text after every write, for a test that waits for a part of it.
	written chan string
}

func newBuffer() *buffer { return &buffer{written: make(chan string, 10_000)} }

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.b.Write(p)
	select {
	case b.written <- b.b.String():
	default: // no test waits any longer
	}
	return n, err
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "postrider.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// shop returns a configuration with one app. base is the vendor's address; more
// is appended to the file.
func shop(redis, base, more string) string {
	return fmt.Sprintf(`
redis: {url: %q}
http: {listen: "127.0.0.1:0"}
apps:
  shop:
    huawei: {client_id: "100001", client_secret: secret-3f9a, base_url: %q, auth_url: %q}
%s`, redis, base, base+"/oauth2/v3/token", more)
}

// vendor answers every request for an access token with an answer from the vendor's documentation.
func vendor(t *testing.T, status int, contentType, answer string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/oauth2/v3/token" {
			t.Errorf("got a request for %s, want only access token requests", r.URL.Path)
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/account-api-obtain-app-token
const (
	granted     = `{"access_token":"CV0kkX7yVJZcTi1i+ukKp4HGfZXJ5wSH\/MwIriqHa9h2q66KSl5","expires_in":3600,"token_type":"Bearer"}`
	wrongSecret = `{"sub_error":12304,"error_description":"invalid client_secret","error":1101}`
)

func TestWrongUsageIsRefused(t *testing.T) {
	t.Parallel()
	noApps := write(t, "redis: {url: \"redis://127.0.0.1:1/0\"}\n")
	short := write(t, shop("redis://127.0.0.1:1/0", "http://127.0.0.1:1", "worker: {shutdown_timeout: 5s}\n"))
	misspelt := write(t, shop("redis://127.0.0.1:1/0", "http://127.0.0.1:1", "workr: {}\n"))
	elsewhere := write(t, shop("redis://127.0.0.1:1/0", "http://127.0.0.1:1", "worker: {vendors: [harmony]}\n"))
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"a misspelt command", []string{"chek-config"}, `worker: unknown command "chek-config" for "worker": did you mean check-config?: see worker --help`},
		{"an unknown flag", []string{"--nothing"}, "worker: unknown flag: --nothing: see worker --help"},
		{"an unknown flag of a command", []string{"demo", "--nothing"}, "worker: unknown flag: --nothing: see worker demo --help"},
		{"an argument", []string{"check-config", "x"}, `worker: unexpected argument "x": worker check-config takes no arguments: see worker check-config --help`},
		{"a demo without tokens", []string{"demo", "--tokens", "0"}, "worker: --tokens: want at least 1"},
		{"a demo at an address without a port", []string{"demo", "--listen", "localhost"}, `worker: --listen: "localhost" is not host:port`},
		{"a demo that other machines could reach", []string{"demo", "--listen", "0.0.0.0:8080"}, `worker: --listen: "0.0.0.0:8080" is not host:port with a loopback address`},
		{"a word for a number", []string{"demo", "--tokens", "many"}, `worker: --tokens: "many" is not a whole number: see worker demo --help`},
		{"a missing configuration", []string{"--config", "/nowhere/p.yaml"}, "worker: read configuration: open /nowhere/p.yaml: no such file"},
		{"a missing configuration to check", []string{"check-config", "--config", "/nowhere/p.yaml"}, "worker: read configuration: open /nowhere/p.yaml: no such file"},
		{"a misspelt key", []string{"--config", misspelt}, "workr"},
		{"no app", []string{"--config", noApps}, "apps: a worker needs at least one app"},
		{"no app for the vendors that it serves", []string{"--config", elsewhere}, "worker.vendors: no app configures any of harmony"},
		{"a shutdown that is shorter than a request", []string{"--config", short}, "worker.shutdown_timeout: must be longer than every request timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			errs := newBuffer() // the redis client may log late
			code := run(t.Context(), c.args, &out, errs)
			if code != exitUsage || out.Len() != 0 || !strings.Contains(errs.String(), c.want) || strings.Contains(errs.String(), "secret-") {
				t.Errorf("exit %d, %q, %s, want 2 and %s", code, &out, errs, c.want)
			}
		})
	}
}

func TestAnUnreachableRedisIsAFailureAndNotWrongUsage(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	file := write(t, shop("redis://"+server.Addr()+"/0", "http://127.0.0.1:1", ""))
	server.Kill()
	var out bytes.Buffer
	errs := newBuffer() // the redis client may log late
	if code := run(t.Context(), []string{"--config", file}, &out, errs); code != exitFailed || !strings.Contains(errs.String(), "reach redis: ") {
		t.Errorf("exit %d, %s, want 1 and an error that redis cannot be reached", code, errs)
	}
}

func TestItWorksUntilTheSignal(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	file := write(t, shop(redistest.URL(rdb), "http://127.0.0.1:1", ""))
	ctx, signal := context.WithCancel(t.Context())
	defer signal()
	out, errs := newBuffer(), newBuffer()
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"--config", file}, out, errs) }()
	for !strings.Contains(errs.String(), `"message":"working"`) {
		select {
		case <-errs.written:
		case code := <-ended:
			t.Fatalf("it ended with %d, %s", code, errs)
		}
	}
	signal()
	if code := <-ended; code != 0 || out.String() != "" || !strings.Contains(errs.String(), `"message":"stopped"`) {
		t.Errorf("exit %d, %q, %s, want 0 and a log of the stop", code, out, errs)
	}
	if strings.Contains(errs.String(), "secret-") {
		t.Errorf("the log holds a secret: %s", errs)
	}
}

// A signal before the worker has started is not a failure.
func TestASignalDuringTheStartEndsItWithoutAnError(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	file := write(t, shop(redistest.URL(rdb), "http://127.0.0.1:1", ""))
	ctx, signal := context.WithCancel(t.Context())
	signal()
	out, errs := newBuffer(), newBuffer()
	if code := run(ctx, []string{"--config", file}, out, errs); code != 0 || !strings.Contains(errs.String(), `"message":"stopped before it had started"`) {
		t.Errorf("exit %d, %s, want 0 and a log that it had not started", code, errs)
	}
}

func TestCheckConfigReportsOneFindingPerCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		base   string
		more   string
		code   int
		faults map[string]string // by subject; other subjects have none
	}{
		{"everything is correct", vendor(t, 200, "application/json;charset=UTF-8", granted), "", 0, nil},
		{"a secret is wrong", vendor(t, 400, "text/html;charset=UTF-8", wrongSecret), "", exitUsage, map[string]string{"apps.shop.huawei": "auth/1101"}},
		{"the vendor is unreachable", "http://127.0.0.1:1", "", exitUsage, map[string]string{"apps.shop.huawei": "transport/dial"}},
		{"no app is served", vendor(t, 200, "application/json", granted), "worker: {vendors: [harmony]}\n", exitUsage, map[string]string{"FILE": "no app configures any of harmony"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := write(t, shop(redistest.URL(redistest.Client(t)), c.base, c.more))
			var out bytes.Buffer
			errs := newBuffer() // the redis client may log late
			code := run(t.Context(), []string{"check-config", "--json", "--config", file}, &out, errs)
			if code != c.code || strings.Contains(out.String()+errs.String(), "secret-") || strings.Contains(out.String(), "CV0kkX7y") {
				t.Errorf("exit %d, %s%s, want %d and no secret", code, &out, errs, c.code)
			}
			var found []finding
			if err := json.Unmarshal(out.Bytes(), &found); err != nil {
				t.Fatalf("stdout is %s: %v, want findings", &out, err)
			}
			want := []string{file, "redis.url", "redis version", "redis role", "redis memory", "redis persistence", "redis rights", "apps.shop.huawei"}
			if len(found) != len(want) {
				t.Fatalf("got %+v, want findings about %q", found, want)
			}
			for i, what := range want {
				fault := c.faults[strings.Replace(what, file, "FILE", 1)]
				if f := found[i]; f.What != what || (f.Fault == "") != (fault == "") || !strings.Contains(f.Fault, fault) {
					t.Errorf("finding %d is %+v, want %s with fault %q", i, f, what, fault)
				}
			}
			// The tests' Redis has no persistence: a warning, not a fault.
			if !strings.Contains(found[5].Warning, "a restart of Redis loses every job") {
				t.Errorf("got %+v, want a warning", found[5])
			}
		})
	}
}

// withoutBLMove returns a URL with a user who may not run BLMOVE.
func withoutBLMove(t *testing.T, s *redistest.Server) string {
	t.Helper()
	admin := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer admin.Close()
	if err := admin.Do(t.Context(), "ACL", "SETUSER", "few", "on", ">secret-pass", "~*", "&*", "+@all", "-blmove").Err(); err != nil {
		t.Fatal(err)
	}
	return "redis://few:secret-pass@" + s.Addr() + "/0"
}

func TestAnUnusableRedisIsRefused(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Args("--maxmemory-policy", "allkeys-lru"))
	const rights = "are too few for user few: run ACL SETUSER few +blmove"
	file := write(t, shop(withoutBLMove(t, s), vendor(t, 200, "application/json", granted), ""))
	t.Run("by check-config", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		errs := newBuffer()
		code := run(t.Context(), []string{"check-config", "--config", file}, &out, errs)
		if code != exitUsage || errs.String() != "worker: 1 check failed\n" {
			t.Errorf("exit %d, %s, want 2 and one fault", code, errs)
		}
		for _, want := range []string{"fault  redis rights: " + rights + "\n", "warn   redis memory: has maxmemory-policy allkeys-lru", "warn   redis persistence: is off"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("stdout is %s, want %s in it", &out, want)
			}
		}
	})
	t.Run("at the start", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		errs := newBuffer()
		code := run(t.Context(), []string{"--config", file}, &out, errs)
		if code != exitUsage || !strings.HasSuffix(errs.String(), "\nworker: redis rights "+rights+"\n") || strings.Contains(errs.String(), "secret-") {
			t.Errorf("exit %d, %s, want 2 and the missing right", code, errs)
		}
		for _, want := range []string{"redis memory has maxmemory-policy allkeys-lru", "redis persistence is off"} {
			if !strings.Contains(errs.String(), `"level":"warn"`) || !strings.Contains(errs.String(), want) {
				t.Errorf("the log is %s, want a warning %s", errs, want)
			}
		}
	})
}

func TestCheckConfigPrintsEveryFault(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	file := write(t, shop("redis://"+server.Addr()+"/0", vendor(t, 400, "text/html;charset=UTF-8", wrongSecret), ""))
	server.Kill()
	var out bytes.Buffer
	errs := newBuffer() // the redis client may log late
	code := run(t.Context(), []string{"check-config", "--config", file}, &out, errs)
	if code != exitUsage || errs.String() != "worker: 2 checks failed\n" {
		t.Errorf("exit %d, %s, want 2 and two faults", code, errs)
	}
	for _, want := range []string{"ok     " + file + "\n", "fault  redis.url: reach redis: dial tcp", "fault  apps.shop.huawei: fetch access token: auth/1101"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("stdout is %s, want %s in it", &out, want)
		}
	}
}

func TestCheckConfigWritesNothingToRedis(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	file := write(t, shop(redistest.URL(rdb), vendor(t, 200, "application/json", granted), ""))
	var out bytes.Buffer
	errs := newBuffer() // the redis client may log late
	if code := run(t.Context(), []string{"check-config", "--config", file}, &out, errs); code != 0 {
		t.Fatalf("exit %d, %s%s", code, &out, errs)
	}
	if keys := rdb.Keys(t.Context(), "*").Val(); len(keys) > 0 {
		t.Errorf("redis holds %q, want nothing", keys)
	}
}

func TestTheDemoEndsWithABalancedLedger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	errs := newBuffer() // the redis client may log late
	if code := run(t.Context(), []string{"demo", "--tokens", "400", "--exit", "--json"}, &out, errs); code != 0 {
		t.Fatalf("exit %d, %s", code, errs)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("stdout is %s: %v, want one JSON object and nothing else", &out, err)
	}
	sum := 0.0
	for _, o := range append(wire.Outcomes(), wire.Pending) {
		n, ok := got[string(o)].(float64)
		if !ok {
			t.Errorf("%s is missing", o)
		}
		sum += n
	}
	if got["state"] != "done" || got["accepted"] != 400.0 || sum != 400 || got["pending"] != 0.0 {
		t.Errorf("got %v, want 400 tokens done and balanced", got)
	}
	if delivered := got["delivered"].(float64); delivered < 300 || delivered >= 400 {
		t.Errorf("%v tokens were delivered, want most tokens but not the invalid ones", delivered)
	}
	if codes, ok := got["codes"].(map[string]any); !ok || len(codes) == 0 {
		t.Errorf("codes are %v, want what the vendors answered", got["codes"])
	}
	for _, where := range []string{"ui", "simulator"} {
		if url, _ := got[where].(string); !strings.HasPrefix(url, "http://127.0.0.1:") {
			t.Errorf("%s is %q, want an address", where, url)
		}
	}
}

func TestTheDemoCanBeInterrupted(t *testing.T) {
	t.Parallel()
	ctx, signal := context.WithCancel(t.Context())
	defer signal()
	out, errs := newBuffer(), newBuffer()
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"demo", "--tokens", "400"}, out, errs) }()
	for !strings.Contains(errs.String(), "press Ctrl-C to end the demo") {
		select {
		case <-errs.written:
		case code := <-ended:
			t.Fatalf("it ended with %d, %s", code, errs)
		}
	}
	signal()
	if code := <-ended; code != 0 || !strings.Contains(out.String(), "answers, by token:") {
		t.Errorf("exit %d, %s%s, want 0 and the ledger", code, out, errs)
	}
}
