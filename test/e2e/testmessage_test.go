package e2e

import (
	"slices"
	"testing"

	"github.com/postrider/postrider/pkg/push"
)

// TestATestMessageFitsAtFirst sends a test message to more tokens than HarmonyOS
// accepts in one request: no request may be refused for that.
func TestATestMessageFitsAtFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t, allVendors())
	j := push.Job{ID: "test", App: "demo", Message: push.Message{Title: "Hello", Body: "A test.", Test: true}, Targets: map[string][]string{}}
	for i := range 25 {
		j.Targets["harmony"] = append(j.Targets["harmony"], tokenFor("harmony", i, false))
	}
	r.enqueue(j)
	r.worker()
	r.await("the job's end", func() bool { return r.status("test").State == "done" })
	if st := r.status("test"); st.Delivered != 25 || len(st.Codes) != 1 {
		t.Errorf("got %+v, want 25 delivered and no other code", st)
	}
	if got := r.report().Vendors["harmony"].Requests; !slices.Contains([]int64{3, 4}, got) { // one more if a grant counts
		t.Errorf("got %d requests, want 3", got)
	}
}
