package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/push/wire"
)

// listJobs runs enqueue jobs --json and returns the objects.
func (d deployment) listJobs(t *testing.T, args ...string) []map[string]any {
	t.Helper()
	got := d.run(t, "", append([]string{"jobs", "--json"}, args...)...)
	if got.code != 0 || got.err != "" {
		t.Fatalf("exit %d: %s", got.code, got.err)
	}
	var all []map[string]any
	for line := range strings.Lines(got.out) {
		var j map[string]any
		if err := json.Unmarshal([]byte(line), &j); err != nil {
			t.Fatal(err)
		}
		all = append(all, j)
	}
	return all
}

func names(all []map[string]any) []string {
	var out []string
	for _, j := range all {
		out = append(out, j["job"].(string))
	}
	slices.Sort(out)
	return out
}

func TestJobsPrintsATableAndJSON(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	if all := d.listJobs(t); len(all) != 0 {
		t.Fatalf("got %v, want nothing", all)
	}
	d.runOK(t, "", notification("--target", "huawei:t1", "--target", "huawei:t2", "--id", "several")...)
	d.runOK(t, "", notification("--target", "huawei:t3", "--id", "single")...)
	d.runOK(t, "", notification("--target", "huawei:t4", "--target", "huawei:t5", "--id", "canceled")...)
	d.runOK(t, "", "cancel", "canceled")
	all := d.listJobs(t)
	if got := names(all); !slices.Equal(got, []string{"canceled", "several", "single"}) {
		t.Fatalf("got %q, want all three", got)
	}
	for _, j := range all {
		wantKeys(t, j, "job", "app", "state", "accepted", "pending", "created", "ended", "stuck")
		if j["app"] != "shop" || j["ended"] != nil || j["created"] == nil || j["stuck"] != false {
			t.Errorf("got %v, want an open job of shop", j)
		}
	}
	for flags, want := range map[string][]string{
		"--state running":  {"several", "single"},
		"--state canceled": {"canceled"},
		"--state done":     nil,
		"--app shop":       {"canceled", "several", "single"},
		"--app other":      nil,
		"--stuck":          nil,
	} {
		if got := names(d.listJobs(t, strings.Fields(flags)...)); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", flags, got, want)
		}
	}
	if got := d.listJobs(t, "--limit", "2"); len(got) != 2 {
		t.Errorf("--limit 2: got %d jobs", len(got))
	}
	got := d.run(t, "", "jobs")
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if got.code != 0 || len(lines) != 4 || !strings.HasPrefix(lines[0], "JOB ") {
		t.Errorf("exit %d, want a heading and three lines:\n%s%s", got.code, got.out, got.err)
	}
}

func TestJobsShowsWhichJobsAreStuck(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.runOK(t, "", notification("--target", "huawei:t1", "--target", "huawei:t2", "--id", "several")...)
	d.runOK(t, "", notification("--target", "huawei:t3", "--id", "single")...)
	d.runOK(t, "", notification("--target", "huawei:t4", "--target", "huawei:t5", "--id", "healthy")...)
	lane := wire.Lane("huawei", "normal")
	for _, id := range d.rdb.LRange(t.Context(), wire.PendingKey(lane), 0, -1).Val() {
		if !strings.HasPrefix(id, "healthy") {
			d.rdb.Del(t.Context(), wire.TaskKey(lane, id)) // no worker runs that would repair it
		}
	}
	if got := names(d.listJobs(t, "--stuck")); !slices.Equal(got, []string{"several", "single"}) {
		t.Errorf("got %q, want the two whose tasks were deleted", got)
	}
	for _, j := range d.listJobs(t) {
		if j["stuck"] != (j["job"] != "healthy") {
			t.Errorf("got %v", j)
		}
	}
	if got := d.run(t, "", "jobs"); !strings.Contains(got.out, "running, stuck") {
		t.Errorf("the table does not show stuck jobs:\n%s", got.out)
	}
}

func TestJobsRefusesWrongFlags(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	for flags, want := range map[string]string{
		"--state sleeping": "running, done, canceled", "--limit 0": "--limit", "--limit x": "--limit", "more": "takes no arguments",
	} {
		if got := d.run(t, "", append([]string{"jobs"}, strings.Fields(flags)...)...); got.code != 2 || !strings.Contains(got.err, want) {
			t.Errorf("%s: exit %d, %s: want 2 and %q", flags, got.code, got.err, want)
		}
	}
	unreachable := deployment{config: writeConfig(t, "redis://127.0.0.1:1/0")}
	if got := unreachable.run(t, "", "jobs"); got.code != 1 || !strings.Contains(got.err, "list jobs") {
		t.Errorf("without Redis: exit %d: %s", got.code, got.err)
	}
}
