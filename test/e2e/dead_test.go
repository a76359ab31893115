package e2e

import (
	"encoding/json"
	"flag"
	"net/http"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/deadletter"
)

// chunks is how many end dead: more than asynq keeps. make e2e uses 25,000.
var chunks = flag.Int("chunks", 11_000, "number of chunks that end dead")

// TestEveryChunkThatDiesIsADeadLetter: asynq keeps 10,000 archived tasks and deletes
// others silently. postrider must keep all dead letters, and a replay must send each
// once.
func TestEveryChunkThatDiesIsADeadLetter(t *testing.T) {
	t.Parallel()
	n := *chunks
	r := newRig(t, strings.Replace(settings, "rate: 0", "rate: 0, batch: 1", 1)+"retry: {attempts: 1}\n")
	r.faults(http.MethodPut, `{"endpoint":"send","status":500}`)
	r.enqueueMany("campaign", n)
	r.worker()
	r.await("all chunks are dead", func() bool { return r.status("campaign").Dead == n })
	tokens := map[string]bool{}
	entries, err := r.rdb.XRange(t.Context(), "postrider:dead", "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		token, _ := e.Values["tokens"].(string)
		tokens[token] = true
	}
	if len(entries) != n || len(tokens) != n {
		t.Errorf("%d dead letters for %d tokens, want one for each of %d", len(entries), len(tokens), n)
	}
	r.faults(http.MethodDelete, "")
	for _, want := range []deadletter.Sum{{Entries: n, Tokens: n}, {}} {
		var got deadletter.Sum
		code, out := r.run(nil, "enqueue", "dead", "replay", "--json")
		if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got != want {
			t.Errorf("replay: exit %d, %+v, %v; want %+v", code, got, err, want)
		}
	}
	r.await("all tokens are delivered", func() bool { return r.status("campaign").Delivered == n })
	if got := r.seen(); got.Distinct != int64(n) || got.Duplicates != 0 {
		t.Errorf("the vendor accepted %d tokens and %d duplicates, want %d once each", got.Distinct, got.Duplicates, n)
	}
	if left := r.rdb.XLen(t.Context(), "postrider:dead").Val(); left != 0 {
		t.Errorf("%d dead letters are left", left)
	}
}

// faults sets the simulator's fault rules.
func (r *rig) faults(method, rules string) {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), method, r.sim+"/_simulator/faults", strings.NewReader(rules))
	if err != nil {
		r.Fatal(err)
	}
	resp, err := new(http.Client).Do(req)
	if err != nil {
		r.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		r.Fatalf("%s faults: %s", method, resp.Status)
	}
}
