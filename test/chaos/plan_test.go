package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
)

// deed is what happens to somebody.
type deed string

const (
	kill        deed = "kill -9"       // a worker, started again after a while
	term        deed = "SIGTERM"       // a worker, started again after a while
	freeze      deed = "SIGSTOP"       // a worker, SIGCONT after a while
	network     deed = "network"       // between a worker and Redis, while it still reaches the vendors
	redisKill   deed = "redis kill -9" // started again after a while, from its append-only file
	redisFreeze deed = "redis SIGSTOP"
	scriptFlush deed = "SCRIPT FLUSH"
	misbehave   deed = "vendors" // other faults than before
	revoke      deed = "revoke"  // every access token of a vendor
)

// weights say how often each deed is drawn.
var weights = []struct {
	deed
	n int
}{{kill, 4}, {term, 3}, {freeze, 3}, {network, 4}, {redisKill, 2}, {redisFreeze, 2}, {scriptFlush, 1}, {misbehave, 5}, {revoke, 1}}

// networkFault is what a network does to a worker's commands.
type networkFault string

const (
	cut   networkFault = "cut"           // nothing gets through
	lossy networkFault = "loses answers" // of one command in twenty, and as many commands
	slow  networkFault = "0.3 s later"   // each of them
)

var networkFaults = []networkFault{cut, lossy, slow}

// event is one deed of a plan.
type event struct {
	at     time.Duration // since the beginning
	deed   deed
	worker int
	length time.Duration
	how    networkFault
	vendor string
	faults []simulator.Fault
}

func (e event) String() string {
	s := fmt.Sprintf("%7.2fs  %-13s", e.at.Seconds(), e.deed)
	switch e.deed {
	case kill, term, freeze:
		return s + fmt.Sprintf("  worker %d, %.1f s", e.worker, e.length.Seconds())
	case network:
		return s + fmt.Sprintf("  worker %d, %.1f s: %s", e.worker, e.length.Seconds(), e.how)
	case redisKill, redisFreeze:
		return s + fmt.Sprintf("  %.1f s", e.length.Seconds())
	case revoke:
		return s + "  " + e.vendor
	case misbehave:
		var names []string
		for _, f := range e.faults {
			names = append(names, f.Name)
		}
		return s + "  " + strings.Join(names, ", ")
	case scriptFlush:
	}
	return s
}

type plan []event

func (p plan) String() string {
	var b strings.Builder
	for _, e := range p {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}

// newPlan draws what happens when: the same for the same seed.
func newPlan(seed uint64, length time.Duration, workers int) plan {
	rnd := rand.New(rand.NewPCG(seed, 7))
	p := plan{{deed: misbehave, faults: drawFaults(rnd)}}
	for at := time.Second; at < length; at += between(rnd, 200*time.Millisecond, 1500*time.Millisecond) {
		e := event{at: at, deed: draw(rnd), worker: rnd.IntN(workers), length: between(rnd, 100*time.Millisecond, 3*time.Second)}
		long := length >= time.Minute && rnd.IntN(8) == 0
		switch e.deed {
		case freeze:
			if long { // its tasks go to others meanwhile
				e.length = between(rnd, 15*time.Second, 40*time.Second)
			}
		case network:
			e.how = networkFaults[rnd.IntN(len(networkFaults))]
			if long {
				e.length = between(rnd, 15*time.Second, 40*time.Second)
			}
		case redisFreeze, redisKill:
			if long {
				e.length = between(rnd, 5*time.Second, 12*time.Second)
			}
		case misbehave:
			e.faults = drawFaults(rnd)
		case revoke:
			e.vendor = vendorNames[rnd.IntN(len(vendorNames))]
		case kill, term, scriptFlush:
		}
		p = append(p, e)
	}
	return p
}

func draw(rnd *rand.Rand) deed {
	sum := 0
	for _, w := range weights {
		sum += w.n
	}
	n := rnd.IntN(sum)
	for _, w := range weights {
		if n -= w.n; n < 0 {
			return w.deed
		}
	}
	panic("unreachable")
}

func between(rnd *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(rnd.Int64N(int64(most-least)))
}

func TestASeedIsAPlan(t *testing.T) {
	t.Parallel()
	one, same, other := newPlan(5, time.Minute, 3), newPlan(5, time.Minute, 3), newPlan(6, time.Minute, 3)
	if one.String() != same.String() {
		t.Error("the same seed makes two plans")
	}
	if one.String() == other.String() {
		t.Error("two seeds make the same plan")
	}
	for _, w := range weights {
		if !strings.Contains(newPlan(5, 10*time.Minute, 3).String(), string(w.deed)) {
			t.Errorf("in ten minutes there is no %s", w.deed)
		}
	}
}
