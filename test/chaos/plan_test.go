package chaos

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
)

// action is something that the test breaks.
type action string

const (
	kill         action = "kill -9"       // of a worker, which is restarted after a while
	term         action = "SIGTERM"       // of a worker, which is restarted after a while
	freeze       action = "SIGSTOP"       // of a worker, SIGCONT after a while
	network      action = "network"       // between a worker and Redis; the worker still reaches the vendors
	redisKill    action = "redis kill -9" // restarted after a while from its append-only file
	redisFreeze  action = "redis SIGSTOP"
	scriptFlush  action = "SCRIPT FLUSH"
	changeFaults action = "vendors" // new faults of the vendors
	revoke       action = "revoke"  // all access tokens of a vendor
)

// weights are the relative frequencies of the actions.
var weights = []struct {
	action
	n int
}{{kill, 4}, {term, 3}, {freeze, 3}, {network, 4}, {redisKill, 2}, {redisFreeze, 2}, {scriptFlush, 1}, {changeFaults, 5}, {revoke, 1}}

// networkFault is a fault of the network between a worker and Redis.
type networkFault string

const (
	cut   networkFault = "cut"         // no command reaches Redis
	lossy networkFault = "loses 10 %"  // 5 % of the commands and 5 % of the replies
	slow  networkFault = "0.3 s later" // each command
)

var networkFaults = []networkFault{cut, lossy, slow}

// event is an action of a plan.
type event struct {
	at     time.Duration // since the start
	action action
	worker int
	length time.Duration
	how    networkFault
	vendor string
	faults []simulator.Fault
}

func (e event) String() string {
	s := fmt.Sprintf("%7.2fs  %-13s", e.at.Seconds(), e.action)
	switch e.action {
	case kill, term, freeze:
		return s + fmt.Sprintf("  worker %d, %.1f s", e.worker, e.length.Seconds())
	case network:
		return s + fmt.Sprintf("  worker %d, %.1f s: %s", e.worker, e.length.Seconds(), e.how)
	case redisKill, redisFreeze:
		return s + fmt.Sprintf("  %.1f s", e.length.Seconds())
	case revoke:
		return s + "  " + e.vendor
	case changeFaults:
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

// newPlan returns a random plan, which depends only on its arguments.
func newPlan(seed uint64, length time.Duration, workers int) plan {
	rnd := rand.New(rand.NewPCG(seed, 7))
	p := plan{{action: changeFaults, faults: randomFaults(rnd)}}
	for at := time.Second; at < length; at += between(rnd, 200*time.Millisecond, 1500*time.Millisecond) {
		e := event{at: at, action: randomAction(rnd), worker: rnd.IntN(workers), length: between(rnd, 100*time.Millisecond, 3*time.Second)}
		long := length >= time.Minute && rnd.IntN(8) == 0
		switch e.action {
		case freeze:
			if long { // long enough that other workers take its tasks over
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
		case changeFaults:
			e.faults = randomFaults(rnd)
		case revoke:
			e.vendor = vendorNames[rnd.IntN(len(vendorNames))]
		case kill, term, scriptFlush:
		}
		p = append(p, e)
	}
	return p
}

func randomAction(rnd *rand.Rand) action {
	sum := 0
	for _, w := range weights {
		sum += w.n
	}
	n := rnd.IntN(sum)
	for _, w := range weights {
		if n -= w.n; n < 0 {
			return w.action
		}
	}
	panic("unreachable")
}

func between(rnd *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(rnd.Int64N(int64(most-least)))
}

func TestASeedDeterminesThePlan(t *testing.T) {
	t.Parallel()
	one, same, other := newPlan(5, time.Minute, 3), newPlan(5, time.Minute, 3), newPlan(6, time.Minute, 3)
	if one.String() != same.String() {
		t.Error("the same seed gave different plans")
	}
	if one.String() == other.String() {
		t.Error("two seeds gave the same plan")
	}
	for _, w := range weights {
		if !strings.Contains(newPlan(5, 10*time.Minute, 3).String(), string(w.action)) {
			t.Errorf("ten minutes have no %s", w.action)
		}
	}
}
