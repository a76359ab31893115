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

// sent is a request that the simulator got.
type sent struct {
	at       time.Time
	vendor   string
	body     string // the beginning of the body
	first    string // the first push token; "" without one
	tokens   int
	accepted bool
}

// recorder records every request, with its time by the test's clock.
type recorder struct {
	mu  sync.Mutex
	all []sent
}

// longest is how many bytes of a body are recorded; messages are at the beginning.
const longest = 2 << 10

func (t *recorder) record(s simulator.Seen) {
	one := sent{at: s.At, vendor: s.Vendor, tokens: len(s.Tokens), accepted: s.Judged, body: string(s.Body[:min(len(s.Body), longest)])}
	if len(s.Tokens) > 0 {
		one.first = string(s.Tokens[0])
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, one)
}

// pick returns the requests for which want returns true, by time.
func (t *recorder) pick(want func(sent) bool) []sent {
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
func (t *recorder) accepted() []sent { return t.pick(func(s sent) bool { return s.accepted }) }

// mentions returns a vendor's requests with a word in the body.
func (t *recorder) mentions(vendor, word string) []sent {
	return t.pick(func(s sent) bool { return s.vendor == vendor && strings.Contains(s.body, word) })
}

// mostIn is the largest number of tokens within any span of time; list is ordered by time.
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

// tokensIn counts the tokens of requests in the span from begin.
func tokensIn(begin time.Time, span time.Duration, list []sent) int {
	n := 0
	for _, s := range list {
		if since := s.at.Sub(begin); since >= 0 && since < span {
			n += s.tokens
		}
	}
	return n
}

// watchedRig is a rig whose simulator runs in the test process and is recorded.
type watchedRig struct {
	*rig
	*recorder
	vendors  *simulator.Simulator
	producer *push.Client
}

func newWatchedRig(t *testing.T, settings string, o simulator.Options) *watchedRig {
	t.Helper()
	st := &watchedRig{recorder: &recorder{}}
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

// setFaults replaces the simulator's fault rules.
func (st *watchedRig) setFaults(rules ...simulator.Fault) {
	st.Helper()
	if err := st.vendors.SetFaults(rules); err != nil {
		st.Fatal(err)
	}
}
