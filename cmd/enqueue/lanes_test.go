package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/limit"
)

func TestLanesPrintsATableAndJSON(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.runOK(t, "", notification("--target", "huawei:t1", "--id", "a", "--priority", "bulk")...)
	limiter, k := &limit.Limiter{Redis: d.rdb}, limit.Key{App: "shop", Vendor: "huawei"}
	if _, _, err := limiter.Stop(t.Context(), k, limit.Halt{Kind: limit.TooFast, RetryAfter: time.Hour, Reason: "over the limit"}); err != nil {
		t.Fatal(err)
	}
	if _, err := limiter.Pause(t.Context(), k, "test", time.Now().Add(48*time.Hour), "used up"); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := limiter.Park(t.Context(), k, limit.Parking{
		Jobs: []limit.Job{{ID: "bad-job", Expires: time.Now().Add(time.Hour)}}, Code: "huawei/response/80300011",
	}); err != nil {
		t.Fatal(err)
	}
	got := d.run(t, "", "lanes")
	if got.code != 0 || got.err != "" {
		t.Fatalf("exit %d: %s", got.code, got.err)
	}
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if len(lines) != 10 { // a heading, and three for each of three lanes
		t.Errorf("got %d lines, want 10:\n%s", len(lines), got.out)
	}
	for _, want := range []string{"LANE", "huawei:bulk", "3000 of 6000 tokens/s", "slow-down", "over the limit", "quota test", "used up", "parked", "job bad-job: huawei/response/80300011"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("%q is missing in\n%s", want, got.out)
		}
	}
	got = d.run(t, "", "lanes", "--json")
	all := strings.Split(strings.TrimSpace(got.out), "\n")
	if len(all) != 3 || got.err != "" {
		t.Fatalf("got %d objects, want one for each lane: %s%s", len(all), got.out, got.err)
	}
	var bulk map[string]any
	if err := json.Unmarshal([]byte(all[2]), &bulk); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, bulk, "lane", "vendor", "priority", "waiting", "later", "in_flight", "oldest_seconds", "held", "apps")
	app := bulk["apps"].([]any)[0].(map[string]any)
	parked := app["parked"].([]any)[0].(map[string]any)
	wantKeys(t, parked, "job", "code", "until")
	if parked["job"] != "bad-job" || app["parked_jobs"] != 1.0 {
		t.Errorf("got %v, want the parked job", app)
	}
	if bulk["lane"] != "huawei:bulk" || bulk["waiting"] != 1.0 {
		t.Errorf("got %v, want a task in huawei:bulk", bulk)
	}
}

func TestLanesWithoutRedisFails(t *testing.T) {
	t.Parallel()
	d := deployment{config: writeConfig(t, "redis://127.0.0.1:1/0")}
	if got := d.run(t, "", "lanes"); got.code != 1 || !strings.Contains(got.err, "count tasks") {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
}
