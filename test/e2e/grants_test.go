package e2e

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// TestTenWorkersThatStartAtOnceAskForOneAccessToken starts ten workers at once with a
// thousand waiting chunks: each vendor with access tokens must grant only one.
func TestTenWorkersThatStartAtOnceAskForOneAccessToken(t *testing.T) {
	t.Parallel()
	const workers, chunks, batch = 10, 125, 2
	small := strings.NewReplacer(
		`base_url: "%SIM%"}`, `base_url: "%SIM%", batch: 2}`, `feedback_url: "%SIM%"}`, `feedback_url: "%SIM%", batch: 2}`,
		`auth_url: "%SIM%/auth/token"}`, `auth_url: "%SIM%/auth/token", batch: 2}`,
		`auth_url: "%SIM%/oauth2/v3/token"}`, `auth_url: "%SIM%/oauth2/v3/token", batch: 2}`,
		"      project_id:", "      batch: 2\n      project_id:",
	).Replace(allVendors(t))
	st := newWatchedRig(t, small, simulator.Options{})
	j := push.Job{ID: "cold", App: "demo", Message: push.Message{Title: "Hello", Body: "All at once."}, Targets: map[string][]string{}}
	for _, s := range registry.All() {
		for i := range chunks * batch {
			j.Targets[s.Name] = append(j.Targets[s.Name], tokenFor(s.Name, i, false))
		}
	}
	b, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	code, out := st.run(strings.NewReader(string(b)), "enqueue", "send", "--job", "-", "--json")
	var res push.Result
	if err := json.Unmarshal([]byte(out), &res); err != nil || code != 0 || res.Chunks != chunks*len(registry.All()) {
		t.Fatalf("send: exit %d, %v: %s; want %d chunks", code, err, out, chunks*len(registry.All()))
	}
	var all []*process
	for range workers {
		all = append(all, st.start("worker", "--config", st.config))
	}
	for _, w := range all {
		w.await("working")
	}
	st.await("the job's end", func() bool { return st.status("cold").State == "done" })
	// HarmonyOS has no access tokens; there the JWT that the workers share is counted.
	got, want := map[string]int64{}, map[string]int64{"huawei": 1, "harmony": 1, "honor": 1, "oppo": 1, "vivo": 1}
	for name, v := range st.report().Vendors {
		if v.Grants > 0 {
			got[name] = v.Grants
		}
		if v.Distinct != chunks*batch || v.Duplicates != 0 {
			t.Errorf("%s saw %d tokens and %d duplicates, want %d once each", name, v.Distinct, v.Duplicates, chunks*batch)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("the vendors granted access tokens %v, want %v", got, want)
	}
	t.Logf("%d workers, %d chunks: access tokens %v", workers, res.Chunks, got)
}
