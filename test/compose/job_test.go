package compose

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// tokens is the number of tokens of a job.
const tokens = 20_000

// job is a job with its expected outcomes.
type job struct {
	id        string
	good, bad map[string]int // tokens by vendor
}

func sum(of map[string]int) (n int) {
	for _, i := range of {
		n += i
	}
	return n
}

// plan spreads tokens over all vendors. A hundredth is invalid, but at vivo: it
// answers a request that it knows already with success, and does not say again
// which tokens were invalid, so that after a fault some would end delivered.
func plan(t *testing.T, id string) (j job, csv string) {
	t.Helper()
	j = job{id: id, good: map[string]int{}, bad: map[string]int{}}
	all := composed(t)
	var b strings.Builder
	// Tencent's smallest plan allows 30 a second, so it gets only a few tokens.
	const few = 400
	for i := range tokens {
		vendor := all[i%len(all)]
		if vendor == "tim" && i >= few*len(all) {
			vendor = "xiaomi"
		}
		prefix := "good"
		if i%101 == 42 && vendor != "vivo" {
			prefix = "bad"
			j.bad[vendor]++
		} else {
			j.good[vendor]++
		}
		fmt.Fprintf(&b, "%s,%s-%s-%s-%032d\n", vendor, prefix, id, vendor, i)
	}
	return j, b.String()
}

// enqueue sends a job as a user would.
func (s *system) enqueue(id string) job {
	s.Helper()
	j, csv := plan(s.T, id)
	got := s.tryWith(csv, "docker-compose", "run", "--rm", "-T", "enqueue", "send", "--json",
		"--app", "shop", "--id", id, "--title", "Hi", "--body", "there", "--ttl", "1h", "--targets", "-")
	var r struct{ Accepted int }
	if err := json.Unmarshal([]byte(got.out), &r); err != nil || got.code != 0 || r.Accepted != tokens {
		s.Fatalf("enqueue: exit %d, %v: %s", got.code, err, got.both())
	}
	return j
}

// inFlight is the number of running tasks of all workers.
func (s *system) inFlight() (n int) {
	s.Helper()
	for line := range strings.Lines(s.must("docker", "exec", s.container("ui"), "enqueue", "lanes", "--json")) {
		var lane struct {
			InFlight int `json:"in_flight"`
		}
		if err := json.Unmarshal([]byte(line), &lane); err != nil {
			s.Fatalf("enqueue lanes: %v: %s", err, line)
		}
		n += lane.InFlight
	}
	return n
}

// awaitEnd waits until a job has ended, and compares its ledger with the plan.
func (s *system) awaitEnd(j job) {
	s.Helper()
	s.await("the end of "+j.id, func() bool {
		st, ok := s.status(j.id)
		return ok && st.Pending == 0
	})
	st, ok := s.status(j.id)
	if !ok || st.Delivered != sum(j.good) || st.Invalid != sum(j.bad) || st.Accepted != tokens {
		s.Errorf("%s ended as %+v, want %d delivered and %d invalid", j.id, st, sum(j.good), sum(j.bad))
	}
	s.log("%s ended: %d delivered, %d invalid, %d pending", j.id, st.Delivered, st.Invalid, st.Pending)
}
