package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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

// deployment is what a producer uses: a configuration with the app shop, and a Redis.
type deployment struct {
	config string
	rdb    *redis.Client
}

// newDeployment returns one with an empty database and chunks of ten tokens.
func newDeployment(t *testing.T) *deployment {
	t.Helper()
	rdb := redistest.Client(t)
	return &deployment{writeConfig(t, redistest.URL(rdb)), rdb}
}

func writeConfig(t *testing.T, url string) string {
	t.Helper()
	return write(t, "postrider.yaml", fmt.Sprintf(`
redis: {url: %q}
apps:
  shop:
    huawei: {client_id: "100001", client_secret: demo-secret, batch: 10}
`, url))
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// result is the outcome of a run of the command.
type result struct {
	code     int
	out, err string
}

// run runs the command with the deployment's configuration.
func (d *deployment) run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	return d.runWith(t.Context(), strings.NewReader(stdin), args...)
}

func (d *deployment) runWith(ctx context.Context, stdin io.Reader, args ...string) result {
	var out, errs bytes.Buffer
	code := run(ctx, append(args, "--config", d.config), stdin, &out, &errs)
	return result{code, out.String(), errs.String()}
}

// runOK runs the command with --json, demands success and decodes the output.
func (d *deployment) runOK(t *testing.T, stdin string, args ...string) map[string]any {
	t.Helper()
	got := d.run(t, stdin, append(args, "--json")...)
	if got.code != 0 || got.err != "" {
		t.Fatalf("%q ended with %d, %s", args, got.code, got.err)
	}
	return object(t, got.out)
}

// object decodes stdout, which must be one JSON object on one line.
func object(t *testing.T, out string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(out), &v); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("stdout is not one JSON object on a line: %q: %v", out, err)
	}
	return v
}

func wantKeys(t *testing.T, v map[string]any, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(v)); !slices.Equal(got, want) {
		t.Errorf("the keys are %q, want %q", got, want)
	}
}

// checkEmpty checks that Redis has no keys.
func (d *deployment) checkEmpty(t *testing.T) {
	t.Helper()
	if keys := d.rdb.Keys(t.Context(), "*").Val(); len(keys) > 0 {
		t.Errorf("redis holds %q, want nothing", keys)
	}
}

// tasks returns the headers of the tasks that wait in a lane.
func (d *deployment) tasks(t *testing.T, lane string) []wire.Header {
	t.Helper()
	var all []wire.Header
	for _, id := range d.rdb.LRange(t.Context(), wire.PendingKey(lane), 0, -1).Val() {
		msg := d.rdb.HGet(t.Context(), wire.TaskKey(lane, id), "msg").Val()
		var raw json.RawMessage
		_, msg, _ = strings.Cut(msg, wire.TaskType)
		if err := json.NewDecoder(strings.NewReader(msg[strings.IndexByte(msg, '{'):])).Decode(&raw); err != nil {
			t.Fatalf("task %s is %q, want a JSON header in it: %v", id, msg, err)
		}
		h, err := wire.DecodeHeader(raw)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
	}
	return all
}

// tokens counts how often each token occurs in the chunks of a lane's tasks.
func (d *deployment) tokens(t *testing.T, lane string) map[string]int {
	t.Helper()
	all := map[string]int{}
	for _, h := range d.tasks(t, lane) {
		c, err := wire.DecodeChunk(d.rdb.Get(t.Context(), wire.ChunkKey(h.Chunk)).Val())
		if err != nil {
			t.Fatalf("chunk %s: %v", h.Chunk, err)
		}
		for _, e := range c.Entries {
			for _, token := range e.Tokens {
				all[token]++
			}
		}
	}
	return all
}

// csv returns n targets, one a line.
func csv(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "huawei,t%05d\n", i)
	}
	return b.String()
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text)) // writes to memory cannot fail
	_ = z.Close()
	return b.String()
}

// notification returns the arguments that send a valid message.
func notification(args ...string) []string {
	return append([]string{"send", "--app", "shop", "--title", "Shipped", "--body", "It is on its way"}, args...)
}

func TestItPrintsItsVersion(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"--version"}, {"version", "--json"}, {"--version", "--json"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != 0 || errs.Len() > 0 || !strings.Contains(out.String(), runtime.Version()) {
			t.Errorf("%q: exit %d, %s%s", args, code, &out, &errs)
		}
		if args[len(args)-1] == "--json" {
			wantKeys(t, object(t, out.String()), "goversion", "revision", "version")
		}
	}
}
