package e2e

import (
	"encoding/json"
	"fmt"
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
	st := newWatchedRig(t, allVendors(fmt.Sprintf("batch: %d", batch)), simulator.Options{})
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
	// HarmonyOS grants none: there it is the sender's own JWT that all share.
	got := map[string]int64{}
	for name, v := range st.report().Vendors {
		if v.Grants > 0 {
			got[name] = v.Grants
		}
		if v.Distinct != chunks*batch || v.Duplicates != 0 {
			t.Errorf("%s saw %d tokens and %d duplicates, want %d once each", name, v.Distinct, v.Duplicates, chunks*batch)
		}
	}
	for name, n := range got {
		if n != 1 {
			t.Errorf("%s granted %d access tokens, want 1", name, n)
		}
	}
	if len(got) < 5 {
		t.Errorf("access tokens were granted by %v, want at least 5 vendors", got)
	}
	t.Logf("%d workers, %d chunks: access tokens %v", workers, res.Chunks, got)
}
