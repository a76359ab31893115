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

// flow is how long workers send in TestWorkersKeepOneLimit; make e2e: 20 s.
var flow = flag.Duration("flow", 3*time.Second, "how long workers send under one limit")

const (
	limited = 2000 // tokens a second
	block   = 100  // the most that one request takes
)

// TestWorkersKeepOneLimit has worker processes send under one limit. A busy
// machine may be slower than the limit for once, or stop a worker between its
// permit and its request, which then comes closer to the next; so up to three
// runs are made. Not parallel with other tests: it measures real time.
func TestWorkersKeepOneLimit(t *testing.T) {
	for _, c := range []crew{{1, 0}, {2, 0}, {4, 0}, {4, 2}} {
		t.Run(fmt.Sprintf("%d workers of which %d are killed", c.workers, c.killed), func(t *testing.T) {
			t.Parallel()
			var mean, over float64
			for range 3 {
				if mean, over = c.sends(t); mean >= 0.95 && over <= 0 {
					return
				}
			}
			t.Errorf("mean %.3f of the limit, want 0.95; %.0f tokens too many within a second", mean, over)
		})
	}
}

// crew are workers, some of which are killed in the middle and started anew.
type crew struct{ workers, killed int }

// sends has the crew send, and answers how much of the limit it used, and by how
// many tokens it was over it.
func (c crew) sends(t *testing.T) (mean, over float64) {
	t.Helper()
	st := newStage(t, strings.NewReplacer("worker: {", "worker: {concurrency: 4, ", "rate: 0", fmt.Sprintf("rate: %d, batch: %d", limited, block)).Replace(settings), simulator.Options{})
	workers := make([]*process, c.workers)
	for i := range workers {
		workers[i] = st.worker()
	}
	// More than is sent: what the killed have in work is out of reach for a while.
	st.enqueueMany("job", int(limited*(*flow+5*time.Second).Seconds()))
	stalled := stalltest.Watch(t)
	st.await("the first request", func() bool { return len(st.accepted()) > 0 })
	begin := st.accepted()[0].at
	st.until(begin.Add(*flow / 2))
	for _, w := range workers[:c.killed] {
		if err := w.stop(syscall.SIGKILL); err == nil {
			t.Error("a worker ended well, want it killed")
		}
	}
	for range c.killed {
		st.worker()
	}
	st.until(begin.Add(*flow))
	all := st.accepted()
	late, most := stalled(), mostIn(time.Second, all)
	mean = float64(tokensIn(begin, *flow, all)) / flow.Seconds() / limited
	t.Logf("at most %d tokens in any second, mean %.3f of the limit; the machine stood still for %v at most", most, mean, late.Round(time.Millisecond))
	// Who stands still between its permit and its request comes later, and so
	// closer to those behind it.
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
