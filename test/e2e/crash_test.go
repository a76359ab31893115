package e2e

import (
	"bytes"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// TestKillNine kills a worker with requests in flight: another worker runs its tasks
// within 15 s, and only tokens in flight are sent again.
func TestKillNine(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings, "--latency", "1s")
	const n = 20_000
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "huawei,IQ%0128d\n", i)
	}
	code, out := r.run(&b, "enqueue", "send", "--app", "shop", "--targets", "-", "--title", "Hi", "--body", "there", "--id", "crash", "--json")
	if code != 0 {
		t.Fatalf("send: exit %d: %s", code, out)
	}
	first := r.worker()
	r.await("requests in flight", func() bool { return r.rdb.ZCard(r.Context(), "asynq:{huawei:normal}:lease").Val() == n/1000 })
	r.worker()
	if err := first.stop(syscall.SIGKILL); err == nil {
		t.Fatal("the worker ended with exit code 0, want it killed")
	}
	killed, before := time.Now(), r.status("crash").Delivered
	r.await("the job's end", func() bool { return r.status("crash").State == "done" })
	took := time.Since(killed)
	t.Logf("%d tokens were in flight when the worker was killed; another worker finished them %.1f s later", n-before, took.Seconds())
	if took > 17*time.Second { // 15 s until they run, and the request
		t.Errorf("the dead worker's tasks were finished after %v", took)
	}
	got := r.seen()
	if st := r.status("crash"); st.Delivered != n || got.Distinct != n || got.Duplicates > int64(n-before) {
		t.Errorf("the ledger is %+v, the vendor saw %d tokens and %d duplicates, want %d and at most %d", st, got.Distinct, got.Duplicates, n, n-before)
	}
}
