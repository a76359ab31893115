package e2e

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// sent is one request as it came to the simulator.
type sent struct {
	at       time.Time
	vendor   string
	body     string // its beginning
	first    string // the first push token; "" for none
	tokens   int
	accepted bool
}

// tape has every request, with its time by the test's own clock.
type tape struct {
	mu  sync.Mutex
	all []sent
}

// longest is how much of a body the tape keeps: messages come first.
const longest = 2 << 10

func (t *tape) record(s simulator.Seen) {
	one := sent{at: s.At, vendor: s.Vendor, tokens: len(s.Tokens), accepted: s.Judged, body: string(s.Body[:min(len(s.Body), longest)])}
	if len(s.Tokens) > 0 {
		one.first = string(s.Tokens[0])
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, one)
}

// pick returns the requests that are wanted, in the order of their times.
func (t *tape) pick(want func(sent) bool) []sent {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []sent
	for _, s := range t.all {
		if want(s) {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b sent) int { return a.at.Compare(b.at) })
	return list
}

// accepted returns the requests whose tokens were accepted.
func (t *tape) accepted() []sent { return t.pick(func(s sent) bool { return s.accepted }) }

// mentions returns a vendor's requests that have a word in their body.
func (t *tape) mentions(vendor, word string) []sent {
	return t.pick(func(s sent) bool { return s.vendor == vendor && strings.Contains(s.body, word) })
}

// mostIn is the most tokens of requests, in order, within any span of time.
func mostIn(span time.Duration, list []sent) int {
	most, sum, from := 0, 0, 0
	for _, s := range list {
		sum += s.tokens
		for ; s.at.Sub(list[from].at) >= span; from++ {
			sum -= list[from].tokens
		}
		most = max(most, sum)
	}
	return most
}

// tokensIn counts the tokens of requests that came from begin on, for a span.
func tokensIn(begin time.Time, span time.Duration, list []sent) int {
	n := 0
	for _, s := range list {
		if since := s.at.Sub(begin); since >= 0 && since < span {
			n += s.tokens
		}
	}
	return n
}

// stage is a rig whose simulator runs in the test, and is watched.
type stage struct {
	*rig
	*tape
	vendors  *simulator.Simulator
	producer *push.Client
}

func newStage(t *testing.T, settings string, o simulator.Options) *stage {
	t.Helper()
	st := &stage{tape: &tape{}}
	o.Watch = st.record
	st.vendors = simulator.New(o)
	url, stop, err := st.vendors.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop(context.Background()) })
	server := redistest.Start(t, redistest.AppendOnly())
	rdb := server.Client(t)
	st.rig = newRigOn(t, &rig{server: server, rdb: rdb, sim: url}, redistest.URL(rdb), settings)
	if st.producer, err = push.NewClient(rdb, push.Options{Vendors: registry.ForClient()}); err != nil {
		t.Fatal(err)
	}
	return st
}

// misbehave has the simulator follow these rules alone.
func (st *stage) misbehave(rules ...simulator.Fault) {
	st.Helper()
	if err := st.vendors.SetFaults(rules); err != nil {
		st.Fatal(err)
	}
}
