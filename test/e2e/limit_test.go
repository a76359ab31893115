package e2e

import (
	"flag"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/internal/stalltest"
)

// flow is how long workers send in TestWorkersKeepOneLimit; make e2e uses 20 s.
var flow = flag.Duration("flow", 3*time.Second, "how long workers send under one limit")

const (
	limited = 2000 // tokens a second
	block   = 100  // the most tokens of one request
)

// TestWorkersKeepOneLimit lets worker processes send under one limit. On a busy
// machine, a run may be slower than the limit, or a worker may stall between permit
// and request and so send closer to the next request; so there are up to three runs.
// Not parallel with other tests: it measures real time.
func TestWorkersKeepOneLimit(t *testing.T) {
	for _, c := range []workerGroup{{1, 0}, {2, 0}, {4, 0}, {4, 2}} {
		t.Run(fmt.Sprintf("%d workers, %d of them killed", c.workers, c.killed), func(t *testing.T) {
			t.Parallel()
			var mean, over float64
			for range 3 {
				if mean, over = c.measure(t); mean >= 0.95 && over <= 0 {
					return
				}
			}
			t.Errorf("mean %.3f of the limit, want at least 0.95; %.0f tokens over the limit within a second", mean, over)
		})
	}
}

// workerGroup are workers, some of which are killed during the run and restarted.
type workerGroup struct{ workers, killed int }

// measure lets the workers send. It returns the share of the limit that they used, and
// by how many tokens they exceeded it.
func (c workerGroup) measure(t *testing.T) (mean, over float64) {
	t.Helper()
	st := newWatchedRig(t, strings.NewReplacer("worker: {", "worker: {concurrency: 4, ", "rate: 0", fmt.Sprintf("rate: %d, batch: %d", limited, block)).Replace(settings), simulator.Options{})
	workers := make([]*process, c.workers)
	for i := range workers {
		workers[i] = st.worker()
	}
	// More than can be sent, since the tasks of killed workers are blocked for a while.
	st.enqueueMany("job", int(limited*(*flow+5*time.Second).Seconds()))
	stalled := stalltest.Watch(t)
	st.await("the first request", func() bool { return len(st.accepted()) > 0 })
	begin := st.accepted()[0].at
	st.until(begin.Add(*flow / 2))
	for _, w := range workers[:c.killed] {
		if err := w.stop(syscall.SIGKILL); err == nil {
			t.Error("a worker ended with exit code 0, want it killed")
		}
	}
	for range c.killed {
		st.worker()
	}
	st.until(begin.Add(*flow))
	all := st.accepted()
	late, most := stalled(), mostIn(time.Second, all)
	mean = float64(tokensIn(begin, *flow, all)) / flow.Seconds() / limited
	t.Logf("at most %d tokens in any second, mean %.3f of the limit; the machine stalled for at most %v", most, mean, late.Round(time.Millisecond))
	// A worker that stalls between permit and request sends later, closer to the next
	// requests.
	return mean, float64(most) - (limited*(time.Second+late).Seconds() + block)
}

// until waits for a time.
func (r *rig) until(at time.Time) {
	r.Helper()
	select {
	case <-time.After(time.Until(at)):
	case <-r.Context().Done():
	}
}
