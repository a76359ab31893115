package chaos

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

var (
	seed     = flag.Uint64("seed", 0, "seed of the schedule of faults; 0: $CHAOS_SEED, else a random one")
	duration = flag.Duration("duration", 15*time.Second, "how long faults occur")
	tokens   = flag.Int("tokens", 20_000, "number of push tokens, over all vendors")
)

var bin string // the folder of the built commands

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "postrider-chaos")
	if err != nil {
		panic(err)
	}
	bin = dir
	build := exec.Command("go", "build", "-o", dir, "../../cmd/worker", "../../cmd/enqueue")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// TestChaos breaks everything at random for a while. Then the faults stop, the
// remaining work drains, and every token is accounted for.
//
// The seed repeats the schedule of the faults, but not the timing of the processes.
func TestChaos(t *testing.T) {
	s := seedOf(t)
	plan := newPlan(s, *duration, workerCount)
	t.Logf("seed %d (repeat with: make chaos SEED=%d), %s of faults, %d tokens, %d workers\n%s", s, s, *duration, *tokens, workerCount, plan)
	st := newTestbed(t, s)
	waves := newWaves(*tokens, *duration)
	st.run(plan, waves)
	drained := st.drain(waves)
	v := st.verify(waves)
	t.Logf("drained %.1f s after the last fault\n%s", drained.Seconds(), v.report())
	for _, wrong := range v.wrong {
		t.Error(wrong)
	}
	if t.Failed() {
		t.Logf("the workers' logs are in %s; repeat with SEED=%d", st.keepLogs(), s)
	}
}

func seedOf(t *testing.T) uint64 {
	t.Helper()
	if *seed != 0 {
		return *seed
	}
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		var s uint64
		if _, err := fmt.Sscan(text, &s); err != nil || s == 0 {
			t.Fatalf("CHAOS_SEED %q is not a number above 0", text)
		}
		return s
	}
	return uint64(time.Now().UnixNano())
}
