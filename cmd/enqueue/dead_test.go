package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
)

const busy = "huawei/response/81000001"

// endDead ends all tokens of the tasks in a lane dead, as the dispatcher would,
// and removes the tasks.
func (d *deployment) endDead(t *testing.T, lane string) {
	t.Helper()
	book := ledger.Store{Redis: d.rdb}
	for _, h := range d.tasks(t, lane) {
		o, err := book.Load(t.Context(), h)
		if err != nil || o == nil {
			t.Fatalf("load %s: %v", h.Chunk, err)
		}
		s := &ledger.Step{Ref: o.Ref, Gen: o.Chunk.Gen, Done: true}
		vendor, priority := wire.SplitLane(lane)
		for _, e := range o.Chunk.Entries {
			n := len(e.Tokens)
			s.Jobs = append(s.Jobs, ledger.JobStep{Job: e.Job, Single: e.Single, Outcomes: map[wire.Outcome]int{wire.Dead: n}, Codes: map[string]int{busy: n}})
			dead := ledger.DeadLetter{
				App: h.App, Vendor: vendor, Job: e.Job, Code: busy, Reason: wire.DeadAttempts, Detail: "the vendor is busy", Class: "retryable", Attempts: 8,
				Tokens: strings.Join(e.Tokens, "\n"), Message: o.Message, Priority: priority, Delivery: "at-least-once", Start: e.Start, Expires: e.Expires,
			}
			if e.Message >= 0 {
				dead.Message = o.Chunk.Messages[e.Message]
			}
			s.Dead = append(s.Dead, dead)
		}
		if ok, err := book.Settle(t.Context(), []*ledger.Step{s}); err != nil || !ok[0] {
			t.Fatalf("settle: %v, %v", ok, err)
		}
	}
	d.rdb.Del(t.Context(), wire.PendingKey(lane))
}

// enqueueAndEndDead enqueues a job of n tokens and ends them dead.
func (d *deployment) enqueueAndEndDead(t *testing.T, id string, n int) {
	t.Helper()
	d.runOK(t, csv(n), notification("--targets", "-", "--id", id)...)
	d.endDead(t, "huawei:normal")
}

// objects decodes stdout, which must have one JSON object on each line.
func objects(t *testing.T, out string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for l := range strings.Lines(out) {
		all = append(all, object(t, l))
	}
	return all
}

var (
	deadKeys = []string{"id", "app", "vendor", "job", "code", "reason", "detail", "class", "attempts", "at", "tokens"}
	fullKeys = append(slices.Clone(deadKeys), "message", "priority", "delivery", "start", "expires")
)

func TestDeadListPrintsALineForEach(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.enqueueAndEndDead(t, "a", 25)
	got := d.run(t, "", "dead", "list", "--json")
	all := objects(t, got.out)
	if got.code != 0 || got.err != "" || len(all) != 3 {
		t.Fatalf("exit %d, %s, %d lines, want 3", got.code, got.err, len(all))
	}
	var tokens []string
	for _, e := range all {
		wantKeys(t, e, deadKeys...)
		if e["app"] != "shop" || e["vendor"] != "huawei" || e["job"] != "a" || e["code"] != busy || e["attempts"] != 8.0 || e["class"] != "retryable" {
			t.Errorf("got %v", e)
		}
		if at, err := time.Parse(time.RFC3339, fmt.Sprint(e["at"])); err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("at is %v, want a time just now", e["at"])
		}
		tokens = append(tokens, strings.Split(e["tokens"].(string), "\n")...)
	}
	if slices.Sort(tokens); len(tokens) != 25 || tokens[24] != "t00024" {
		t.Errorf("got tokens %q, want t00000 to t00024", tokens)
	}
}

func TestDeadShortensTokensInHumanReadableOutput(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	const token = "IQAAAACy0PYwAADzBuyGYnWxWyVbWLd4"
	d.runOK(t, "", notification("--target", "huawei:"+token, "--target", "huawei:ab", "--id", "a")...)
	d.endDead(t, "huawei:normal")
	list := d.run(t, "", "dead", "list")
	words := strings.Fields(list.out)
	if list.code != 0 || list.err != "" || strings.Count(list.out, "\n") != 2 || words[0] != "ID" {
		t.Fatalf("exit %d, %s\n%s", list.code, list.err, list.out)
	}
	id := words[11]
	for _, want := range []string{"shop", "huawei", busy, "8", "2", "IQAA…d4"} {
		if !slices.Contains(words, want) {
			t.Errorf("the list has no %q:\n%s", want, list.out)
		}
	}
	show := d.run(t, "", "dead", "show", id)
	for _, want := range []string{"dead letter " + id + "\n", "IQAA…d4", `{"title":"Shipped","body":"It is on its way"}`, "attempts", "the vendor is busy", " …\n"} {
		if show.code != 0 || !strings.Contains(show.out, want) {
			t.Errorf("exit %d, %s, want %q in the output:\n%s", show.code, show.err, want, show.out)
		}
	}
	if all := list.out + list.err + show.out + show.err; strings.Contains(all, token) || strings.Contains(all, "ab\n") {
		t.Errorf("a token is shown in full:\n%s", all)
	}
}

func TestDeadShowPrintsEverything(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.enqueueAndEndDead(t, "a", 12)
	id := objects(t, d.run(t, "", "dead", "list", "--json").out)[1]["id"].(string) // the chunk of ten tokens
	got := d.runOK(t, "", "dead", "show", id)
	wantKeys(t, got, fullKeys...)
	if m := got["message"].(map[string]any); m["title"] != "Shipped" || got["id"] != id || got["priority"] != "normal" || got["delivery"] != "at-least-once" {
		t.Errorf("got %v", got)
	}
	if strings.Count(got["tokens"].(string), "\n") != 9 {
		t.Errorf("got tokens %q, want all ten", got["tokens"])
	}
	if got := d.run(t, "", "dead", "show", id); !strings.Contains(got.out, "attempts") || strings.Contains(got.out, "more:") {
		t.Errorf("exit %d, %s", got.code, got.out)
	}
}

func TestDeadExportWritesEverything(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.enqueueAndEndDead(t, "a", 25)
	out := d.run(t, "", "dead", "export")
	if all := objects(t, out.out); out.code != 0 || out.err != "" || len(all) != 3 {
		t.Fatalf("exit %d, %s, %d lines, want 3", out.code, out.err, len(all))
	} else {
		wantKeys(t, all[0], fullKeys...)
	}
	file := filepath.Join(t.TempDir(), "dead.ndjson")
	if err := os.WriteFile(file, []byte(strings.Repeat("old\n", 10000)), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := d.runOK(t, "", "dead", "export", "--out", file)
	if sum["entries"] != 3.0 || sum["tokens"] != 25.0 {
		t.Errorf("got %v, want 3 entries with 25 tokens", sum)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != out.out {
		t.Errorf("the file holds %q, %v, want the same as stdout", text, err)
	}
	if got := d.run(t, "", "dead", "export", "--out", filepath.Join(t.TempDir(), "no", "such")); got.code != exitUsage {
		t.Errorf("exit %d, %s, want 2", got.code, got.err)
	}
	if n := d.rdb.XLen(t.Context(), wire.DeadStream).Val(); n != 3 {
		t.Errorf("%d entries are left, want all", n)
	}
}

func TestAMessageThatIsNotJSONIsPrintedAsAString(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: wire.DeadStream, Values: []any{"tokens", "t1", "message", "{broken"}})
	got := d.runOK(t, "", "dead", "export")
	if got["message"] != "{broken" {
		t.Errorf("got %v", got)
	}
}

func TestDeadReplayEnqueuesTheTokensAgain(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.enqueueAndEndDead(t, "a", 25)
	d.enqueueAndEndDead(t, "b", 1)
	d.runOK(t, csv(3), notification("--targets", "-", "--id", "c")...) // has no dead letters
	got := d.runOK(t, "", "dead", "replay")
	wantKeys(t, got, "entries", "tokens")
	if got["entries"] != 4.0 || got["tokens"] != 26.0 {
		t.Errorf("got %v, want 4 entries with 26 tokens", got)
	}
	got = d.runOK(t, "", "dead", "replay")
	wantKeys(t, got, "entries", "tokens")
	if got["entries"] != 0.0 || got["tokens"] != 0.0 {
		t.Errorf("second run: %v, want zeros", got)
	}
	tokens := d.tokens(t, "huawei:normal")
	if len(tokens) != 25 || tokens["t00000"] != 3 || tokens["t00001"] != 2 || tokens["t00024"] != 1 {
		t.Errorf("the lane has tokens %v", tokens)
	}
	for id, n := range map[string]float64{"a": 25, "b": 1} {
		if st := d.runOK(t, "", "status", id); st["state"] != "running" || st["pending"] != n || st["dead"] != 0.0 {
			t.Errorf("%s: %v, want %v pending", id, st, n)
		}
	}
	d.endDead(t, "huawei:normal")
	if got := d.run(t, "", "dead", "replay", "--expires", "2h"); got.code != 0 || got.out != "5 dead letters with 29 tokens replayed\n" {
		t.Errorf("exit %d, %s%s", got.code, got.err, got.out)
	}
	for _, h := range d.tasks(t, "huawei:normal") {
		if left := time.Until(time.Unix(h.Expires, 0)); left < 119*time.Minute || left > 2*time.Hour {
			t.Errorf("%s expires in %v, want 2h", h.Chunk, left)
		}
	}
}

func TestDeadReplayReportsWhatItCannotReplay(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.enqueueAndEndDead(t, "a", 2)
	d.rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: wire.DeadStream, Values: []any{"job", "b", "tokens", "secret"}})
	got := d.run(t, "", "dead", "replay", "--json")
	if sum := object(t, got.out); got.code != exitFailed || sum["entries"] != 1.0 || sum["tokens"] != 2.0 {
		t.Errorf("exit %d, %s, want 1 and the counts of replayed entries", got.code, got.out)
	}
	if !strings.Contains(got.err, " of job b cannot be replayed: it lacks its app") || strings.Contains(got.err, "secret") {
		t.Errorf("stderr is %s", got.err)
	}
}

func TestDeadFilters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		n    float64
	}{
		{"app", []string{"--app", "shop"}, 4},
		{"another app", []string{"--app", "news"}, 0},
		{"vendor", []string{"--vendor", "huawei"}, 4},
		{"another vendor", []string{"--vendor", "xiaomi"}, 0},
		{"code", []string{"--code", "81000001"}, 4},
		{"full code", []string{"--code", busy}, 4},
		{"another code", []string{"--code", "503"}, 0},
		{"job", []string{"--job", "b"}, 1},
		{"since a while ago", []string{"--since", "1h"}, 4},
		{"since a time", []string{"--since", "2026-01-02T03:04:05Z"}, 4},
		{"since later", []string{"--since", "2199-01-02T03:04:05Z"}, 0},
		{"several", []string{"--app", "shop", "--job", "a", "--since", "1h"}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t)
			d.enqueueAndEndDead(t, "a", 25)
			d.enqueueAndEndDead(t, "b", 4)
			for _, verb := range []string{"list", "export"} {
				got := d.run(t, "", append([]string{"dead", verb, "--json"}, c.args...)...)
				if n := len(objects(t, got.out)); got.code != 0 || float64(n) != c.n {
					t.Errorf("%s: exit %d, %d lines, want %v", verb, got.code, n, c.n)
				}
			}
			if got := d.runOK(t, "", append([]string{"dead", "purge"}, c.args...)...); got["entries"] != c.n {
				t.Errorf("purge: %v, want %v", got, c.n)
			}
			if left := d.rdb.XLen(t.Context(), wire.DeadStream).Val(); float64(left) != 4-c.n {
				t.Errorf("%d entries are left, want %v", left, 4-c.n)
			}
		})
	}
}

func TestDeadPurgeDeletes(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.enqueueAndEndDead(t, "a", 25)
	if got := d.run(t, "", "dead", "purge"); got.code != exitUsage || d.rdb.XLen(t.Context(), wire.DeadStream).Val() != 3 {
		t.Errorf("exit %d, %s, want 2 and nothing deleted", got.code, got.err)
	}
	got := d.runOK(t, "", "dead", "purge", "--all")
	wantKeys(t, got, "entries", "tokens")
	if got["entries"] != 3.0 || got["tokens"] != 25.0 {
		t.Errorf("got %v, want 3 entries with 25 tokens", got)
	}
	if st := d.runOK(t, "", "status", "a"); st["dead"] != 25.0 {
		t.Errorf("the ledger has %v, want 25 dead", st)
	}
	if got := d.run(t, "", "dead", "purge", "--all"); got.code != 0 || got.out != "0 dead letters with 0 tokens purged\n" {
		t.Errorf("exit %d, %s%s", got.code, got.err, got.out)
	}
}

func TestDeadRefusesWrongUsage(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	for _, c := range []struct {
		want string
		args []string
	}{
		{"dead: want a subcommand", []string{"dead"}},
		{`unknown command "destroy"`, []string{"dead", "destroy"}},
		{`unexpected argument "x": enqueue dead list takes no arguments`, []string{"dead", "list", "x"}},
		{`--vendor: "nokia" is not a vendor; vendors are`, []string{"dead", "list", "--vendor", "nokia"}},
		{`--since: "yesterday" is not a time`, []string{"dead", "list", "--since", "yesterday"}},
		{`--since: "-2h" is not a time`, []string{"dead", "list", "--since", "-2h"}},
		{"--expires: the time is in the past", []string{"dead", "replay", "--expires", "2020-01-02T03:04:05Z"}},
		{`--expires: "soon" is not a time`, []string{"dead", "replay", "--expires", "soon"}},
		{"an argument is missing: want enqueue dead show ID", []string{"dead", "show"}},
		{`"x" is not the id of a dead letter`, []string{"dead", "show", "x"}},
		{"dead purge: give a filter", []string{"dead", "purge"}},
		{"dead purge: give a filter, or --all without a filter", []string{"dead", "purge", "--all", "--job", "a"}},
		{`unknown command "x"`, []string{"invalid", "x"}},
		{`--since: "nonsense" is not a time`, []string{"invalid", "--since", "nonsense"}},
		{"an argument is missing: want enqueue cancel JOB", []string{"cancel"}},
	} {
		got := d.run(t, "", c.args...)
		if got.code != exitUsage || got.out != "" || !strings.Contains(got.err, c.want) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%q: exit %d, %s%s, want 2 and %s", c.args, got.code, got.out, got.err, c.want)
		}
	}
	if got := d.run(t, "", "dead", "show", "1763712000000-0"); got.code != exitFailed || !strings.Contains(got.err, "no such dead letter") {
		t.Errorf("exit %d, %s, want 1", got.code, got.err)
	}
	d.checkEmpty(t)
}

// addDeadLetters stores n dead letters of one token each, without enqueueing jobs.
func (d *deployment) addDeadLetters(t *testing.T, n int) {
	t.Helper()
	for from := 0; from < n; from += 500 {
		_, err := d.rdb.Pipelined(t.Context(), func(p redis.Pipeliner) error {
			for i := from; i < min(n, from+500); i++ {
				id := fmt.Sprintf("j%05d", i)
				p.Set(t.Context(), wire.JobKey(id), wire.Single{Outcome: wire.Dead, App: "shop", Ended: time.Now()}.Encode(), time.Hour)
				p.XAdd(t.Context(), &redis.XAddArgs{Stream: wire.DeadStream, Values: []any{
					"app", "shop", "vendor", "huawei", "job", id, "code", busy, "tokens", fmt.Sprintf("t%05d", i), "attempts", 8, "at", "2026-11-21T09:00:00.000Z",
					"message", `{"title":"x","body":"y"}`, "priority", "normal", "start", 1763712000000, "expires", 1763715600000,
				}})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestTwentyFiveThousandDeadLettersAreListedAndReplayedInSeconds(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	const n = 25000
	d.addDeadLetters(t, n)
	start := time.Now()
	for _, args := range [][]string{{"dead", "list"}, {"dead", "list", "--json"}, {"dead", "export"}} {
		got := d.run(t, "", args...)
		lines := strings.Count(got.out, "\n")
		if got.code != 0 || lines < n || lines > n+1 {
			t.Errorf("%q: exit %d, %s, %d lines, want %d", args, got.code, got.err, lines, n)
		}
	}
	if got := d.runOK(t, "", "dead", "replay"); got["entries"] != float64(n) || got["tokens"] != float64(n) {
		t.Errorf("got %v, want %d", got, n)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	if got := d.rdb.LLen(t.Context(), wire.PendingKey("huawei:normal")).Val(); got != n {
		t.Errorf("%d tasks wait, want %d", got, n)
	}
}

// interruptAt cancels once this many tasks wait in the lane.
func (d *deployment) interruptAt(t *testing.T, cancel func(), tasks int64) {
	t.Helper()
	d.waitUntil(t, func() bool { return d.rdb.LLen(t.Context(), wire.PendingKey("huawei:normal")).Val() >= tasks })
	cancel()
}

func TestAnInterruptedReplayIsRunAgainAndSendsEachTokenOnce(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	const n = 5000
	d.addDeadLetters(t, n)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan result, 1)
	go func() { done <- d.runWith(ctx, strings.NewReader(""), "dead", "replay", "--json") }()
	d.interruptAt(t, cancel, 100)
	first := <-done
	before := d.rdb.LLen(t.Context(), wire.PendingKey("huawei:normal")).Val()
	if before < n { // otherwise the replay ended before it was canceled
		wantKeys(t, object(t, first.out), "job", "error", "field")
		if want := fmt.Sprintf("before this error, %d entries with %d tokens were replayed", before, before); first.code != exitFailed || !strings.Contains(first.err, want) {
			t.Errorf("exit %d, %s, want 1 and %s", first.code, first.err, want)
		}
	}
	if got := d.runOK(t, "", "dead", "replay"); got["tokens"] != float64(n-before) {
		t.Errorf("the second run replayed %v, want %d", got, n-before)
	}
	d.sentOnce(t, n)
}

func (d *deployment) sentOnce(t *testing.T, n int) {
	t.Helper()
	tokens := d.tokens(t, "huawei:normal")
	if len(tokens) != n {
		t.Errorf("%d tokens are enqueued, want %d", len(tokens), n)
	}
	for token, times := range tokens {
		if times != 1 {
			t.Errorf("%s is enqueued %d times", token, times)
		}
	}
}

func TestTwoReplaysAtOnceShareTheWork(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	const n = 1000
	d.addDeadLetters(t, n)
	var all [2]result
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = d.runWith(t.Context(), strings.NewReader(""), "dead", "replay", "--json") })
	}
	wg.Wait()
	total := 0.0
	for _, s := range all {
		if s.code != 0 {
			t.Errorf("exit %d, %s", s.code, s.err)
		}
		var v map[string]float64
		if err := json.Unmarshal(bytes.TrimSpace([]byte(s.out)), &v); err != nil {
			t.Error(err)
		}
		total += v["tokens"]
	}
	if total != n {
		t.Errorf("they replayed %v, want %d together", total, n)
	}
	d.sentOnce(t, n)
}
