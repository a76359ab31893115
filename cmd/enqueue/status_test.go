package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/push/wire"
)

var statusKeys = []string{
	"job", "app", "state", "accepted", "delivered", "invalid", "dropped", "expired", "dead", "canceled", "pending", "codes",
}

func TestStatusShowsTheLedger(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.runOK(t, csv(20), notification("--targets", "-", "--id", "many")...)
	d.runOK(t, "", notification("--target", "huawei:a", "--id", "one")...)
	got := d.runOK(t, "", "status", "many")
	wantKeys(t, got, statusKeys...)
	if got["job"] != "many" || got["app"] != "shop" || got["state"] != "running" || got["accepted"] != 20.0 || got["pending"] != 20.0 {
		t.Errorf("got %v, want many of shop running with 20 pending", got)
	}
	d.endJob(t, "many", map[string]any{
		"delivered": 12, "invalid": 3, "dropped": 2, "expired": 1, "dead": 2, "huawei/response/80000000": 12, "huawei/response/80300007": 3,
	})
	got = d.runOK(t, "", "status", "many")
	codes := got["codes"].(map[string]any)
	if got["state"] != "done" || got["pending"] != 0.0 || got["invalid"] != 3.0 || codes["huawei/response/80300007"] != 3.0 {
		t.Errorf("got %v, want it done with its codes", got)
	}
	got = d.runOK(t, "", "status", "one")
	wantKeys(t, got, statusKeys...)
	if got["accepted"] != 1.0 || got["pending"] != 1.0 || len(got["codes"].(map[string]any)) != 0 {
		t.Errorf("got %v, want one pending and codes empty", got)
	}
}

// endJob writes outcomes into the ledger of a job of many tokens and ends it.
func (d *deployment) endJob(t *testing.T, job string, fields map[string]any) {
	t.Helper()
	fields[wire.FieldState], fields[wire.FieldEnded] = wire.Done, time.Now().Unix()
	if err := d.rdb.HSet(t.Context(), wire.JobKey(job), fields).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestStatusPrintsATable(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.runOK(t, csv(3), notification("--targets", "-", "--id", "many")...)
	d.endJob(t, "many", map[string]any{"delivered": 3, "huawei/response/80000000": 3})
	got := d.run(t, "", "status", "many")
	words := strings.Join(strings.Fields(got.out), " ")
	want := "job many of app shop: done accepted 3 delivered 3 invalid 0 dropped 0 expired 0 dead 0 canceled 0 pending 0 answers, by token: huawei/response/80000000 3"
	if got.code != 0 || words != want {
		t.Errorf("exit %d, %s, want %s", got.code, words, want)
	}
}

func TestStatusOfAnUnknownJobFails(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	got := d.run(t, "", "status", "nobody", "--json")
	want := "enqueue: job nobody: no such job: it was never enqueued, or its ledger was deleted 168h0m0s after its end (ledger.keep)\n"
	if got.code != exitFailed || got.err != want {
		t.Errorf("exit %d, %s, want 1 and %s", got.code, got.err, want)
	}
	wantKeys(t, object(t, got.out), "job", "error", "field")
	d.checkEmpty(t)
}

func TestWaitFollowsTheJobToItsEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		end  func(d *deployment) error
		code int
	}{
		{"all delivered", notification("--target", "huawei:a", "--target", "huawei:b", "--id", "x", "--wait"), func(d *deployment) error {
			return d.rdb.HSet(context.Background(), wire.JobKey("x"), "delivered", 2, "state", "done").Err()
		}, 0},
		{"one ended dead", notification("--target", "huawei:a", "--target", "huawei:b", "--id", "x", "--wait"), func(d *deployment) error {
			return d.rdb.HSet(context.Background(), wire.JobKey("x"), "delivered", 1, "dead", 1, "state", "done").Err()
		}, exitNotDelivered},
		{"all canceled", notification("--target", "huawei:a", "--target", "huawei:b", "--id", "x", "--wait"), func(d *deployment) error {
			return d.rdb.HSet(context.Background(), wire.JobKey("x"), "canceled", 2, "state", "canceled").Err()
		}, exitNotDelivered},
		{"the only one delivered", notification("--target", "huawei:a", "--id", "x", "--wait"), func(d *deployment) error {
			return d.rdb.Set(context.Background(), wire.JobKey("x"), wire.Single{App: "shop", Outcome: wire.Delivered, Ended: time.Now()}.Encode(), 0).Err()
		}, 0},
		{"the only one invalid", notification("--target", "huawei:a", "--id", "x", "--wait"), func(d *deployment) error {
			return d.rdb.Set(context.Background(), wire.JobKey("x"), wire.Single{App: "shop", Outcome: wire.Invalid, Ended: time.Now()}.Encode(), 0).Err()
		}, exitNotDelivered},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDeployment(t)
			done := make(chan result, 1)
			go func() { done <- d.runWith(t.Context(), strings.NewReader(""), append(c.args, "--json")...) }()
			d.waitUntil(t, func() bool { return len(d.tasks(t, "huawei:normal")) == 1 })
			if err := c.end(d); err != nil {
				t.Fatal(err)
			}
			got := <-done
			if got.code != c.code || got.err != "" {
				t.Errorf("exit %d, %s, want %d", got.code, got.err, c.code)
			}
			v := object(t, got.out)
			wantKeys(t, v, "job", "accepted", "refused", "chunks", "status")
			wantKeys(t, v["status"].(map[string]any), statusKeys...)
		})
	}
}

// waitUntil polls until the condition holds.
func (d *deployment) waitUntil(t *testing.T, condition func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	late := time.After(20 * time.Second)
	for !condition() {
		select {
		case <-again.C:
		case <-late:
			t.Fatal("the condition did not hold within 20 s")
		}
	}
}

func TestInterruptingWaitDoesNotStopTheJob(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan result, 1)
	go func() {
		done <- d.runWith(ctx, strings.NewReader(""), notification("--target", "huawei:a", "--id", "x", "--wait")...)
	}()
	d.waitUntil(t, func() bool { return len(d.tasks(t, "huawei:normal")) == 1 })
	cancel()
	got := <-done
	if got.code != exitFailed || !strings.Contains(got.err, "job x") {
		t.Errorf("exit %d, %s, want 1 and the job's id", got.code, got.err)
	}
	if n := len(d.tokens(t, "huawei:normal")); n != 1 {
		t.Errorf("%d tokens wait, want 1", n)
	}
}

func TestExplainPrintsAList(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		want map[string]string // of the row at this level
	}{
		{"one code", []string{"huawei", "80300007"}, map[string]string{
			"vendor": "huawei", "level": "response", "code": "80300007", "class": "token-invalid", "remedy": "drop-token", "scope": "token",
		}},
		{"an HTTP status that all vendors share", []string{"huawei", "429"}, map[string]string{
			"vendor": "huawei", "level": "http", "code": "429", "class": "retryable", "remedy": "slow-down", "scope": "app",
		}},
		{"all of a vendor", []string{"huawei"}, map[string]string{
			"vendor": "huawei", "level": "auth", "code": "1302", "class": "retryable", "remedy": "slow-down", "scope": "app",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var d deployment // explain needs no configuration
			got := d.run(t, "", append([]string{"explain", "--json"}, c.args...)...)
			var rows []map[string]any
			if err := json.Unmarshal([]byte(got.out), &rows); err != nil || got.code != 0 || got.err != "" {
				t.Fatalf("exit %d, %s%s: %v", got.code, got.err, got.out, err)
			}
			found := false
			for _, r := range rows {
				delete(r, "tries")  // only codes with their own cap
				delete(r, "action") // only codes of invalid tokens
				delete(r, "bucket") // only quotas, with their window
				delete(r, "window")
				wantKeys(t, r, "vendor", "level", "code", "class", "remedy", "scope", "meaning", "source")
				same := r["meaning"] != "" && r["source"] != ""
				for k, v := range c.want {
					same = same && r[k] == v
				}
				found = found || same
			}
			if !found {
				t.Errorf("got %v, want %v among them", rows, c.want)
			}
		})
	}
}

func TestExplainPrintsOneRowInFullAndSeveralAsATable(t *testing.T) {
	t.Parallel()
	var d deployment
	one := d.run(t, "", "explain", "huawei", "80300007")
	if one.code != 0 || !strings.HasPrefix(one.out, "huawei/response/80300007\n") || !strings.Contains(one.out, "remedy     drop-token") {
		t.Errorf("exit %d, %s", one.code, one.out)
	}
	all := d.run(t, "", "explain", "huawei")
	if all.code != 0 || !strings.HasPrefix(all.out, "LEVEL") || strings.Count(all.out, "\n") < 40 {
		t.Errorf("exit %d, %s", all.code, all.out)
	}
}

func TestExplainShowsWhatTheConfigurationOverrides(t *testing.T) {
	t.Parallel()
	d := deployment{config: write(t, "own.yaml", `
codes:
  huawei:
    response/80300007: {class: permanent, remedy: drop-token, action: none}
    response/4711: {class: retryable, remedy: backoff}
`)}
	source := d.config + ":4"
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"a rule that was changed", "remedy     drop-token\n  scope      token\n  source     " + source + "\n  overrides  token-invalid, drop-token, token (https://", []string{"huawei", "80300007"}},
		{"a code that no table has", "source     " + d.config + ":5\n  overrides  no rule\n", []string{"huawei", "4711"}},
		{"a list", " (overridden by " + source + ")\n", []string{"huawei"}},
		{"JSON", `"class":"permanent","remedy":"drop-token","scope":"token",`, []string{"huawei", "80300007", "--json"}},
		{"JSON's source", `"source":"` + source + `"}`, []string{"huawei", "80300007", "--json"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := d.run(t, "", append([]string{"explain"}, c.args...)...)
			if got.code != 0 || got.err != "" || strings.Count(got.out, c.want) != 1 {
				t.Errorf("exit %d, %s%s, want %q in it once", got.code, got.err, got.out, c.want)
			}
		})
	}
	if got := d.run(t, "", "explain", "huawei", "80300010"); got.code != 0 || strings.Contains(got.out, "overrides") {
		t.Errorf("exit %d, %s, want postrider's own rule", got.code, got.out)
	}
}

func TestExplainFailsWithoutTheConfigurationThatWasNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ config, want string }{
		"a missing file":  {filepath.Join(t.TempDir(), "none.yaml"), "none.yaml"},
		"an invalid file": {write(t, "own.yaml", "codes: {huawei: {response/1: {class: perhaps}}}"), "perhaps"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deployment{config: c.config}
			if got := d.run(t, "", "explain", "huawei", "80300007"); got.code != exitUsage || got.out != "" || !strings.Contains(got.err, c.want) {
				t.Errorf("exit %d, %s%s, want %d and %s", got.code, got.out, got.err, exitUsage, c.want)
			}
		})
	}
}

func TestExplainOfWhatIsUnknownFails(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`"nokia" is not a vendor; vendors are `: {"explain", "nokia"},
		"huawei has no documented code 4711":    {"explain", "huawei", "4711"},
	} {
		var d deployment
		if got := d.run(t, "", args...); got.code != exitFailed || got.out != "" || !matches(got.err, want+"…") {
			t.Errorf("%q: exit %d, %s%s, want 1 and %s", args, got.code, got.out, got.err, want)
		}
	}
}
