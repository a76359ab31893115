// Package slots bounds the requests in flight at each vendor.
package slots

import (
	"context"
	"slices"
	"sync"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/pkg/push"
)

// wideChunks is how many chunks with many messages each are sent at once of one
// app and lane. More would not be faster, since they share the slots, but their
// answers would be recorded one by one instead of many together.
const wideChunks = 2

// slots bounds the requests in flight at each vendor. An eighth of them is for
// high priority alone; where apps share a vendor, none gets more than three
// quarters for what is not, so that one whose requests hang leaves room for the
// others. A slot that comes free goes to the app that has the fewest.
type Slots struct {
	Limit   int
	mu      sync.Mutex
	vendors map[string]*vendorSlots
}

// vendorSlots are those of one vendor.
type vendorSlots struct {
	limit int

	mu      sync.Mutex
	taken   int            // all in flight
	low     int            // of them, not of high priority
	apps    map[string]int // the same by app
	waiting []*turn        // in the order in which they came
	wide    map[wideKey]chan struct{}
}

// turn is a request's place among those that wait for a slot.
type turn struct {
	app    string
	high   bool
	shared bool          // another app uses the vendor too
	given  chan struct{} // closed when it has its slot
}

type wideKey struct {
	app string
	p   push.Priority
}

func (s *Slots) Of(vendor string) *vendorSlots {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.vendors == nil {
		s.vendors = map[string]*vendorSlots{}
	}
	v := s.vendors[vendor]
	if v == nil {
		v = &vendorSlots{limit: s.Limit, apps: map[string]int{}, wide: map[wideKey]chan struct{}{}}
		s.vendors[vendor] = v
	}
	return v
}

// wideTurn bounds the app's wide chunks of a priority.
func (v *vendorSlots) WideTurn(app string, p push.Priority) chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	k := wideKey{app, p}
	if v.wide[k] == nil {
		v.wide[k] = make(chan struct{}, wideChunks)
	}
	return v.wide[k]
}

// enter waits for a slot; false means that the task is to go back.
func (s *Slots) Enter(ctx context.Context, draining <-chan struct{}, a *account.Account, p push.Priority) bool {
	v, t := s.Of(a.Spec.Name), &turn{app: a.App, high: p == push.High, shared: a.Shared, given: make(chan struct{})}
	select {
	case <-draining:
		return false
	default:
	}
	v.ask(t)
	select {
	case <-t.given:
		return true
	case <-draining:
	case <-ctx.Done():
	}
	v.giveUp(t)
	return false
}

func (s *Slots) Leave(a *account.Account, p push.Priority) {
	s.Of(a.Spec.Name).release(a.App, p == push.High)
}

func (v *vendorSlots) ask(t *turn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.waiting = append(v.waiting, t)
	v.give()
}

func (v *vendorSlots) release(app string, high bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.taken--
	if !high {
		v.low--
		if v.apps[app]--; v.apps[app] == 0 {
			delete(v.apps, app)
		}
	}
	v.give()
}

// giveUp takes a turn back, and its slot if it has one by now.
func (v *vendorSlots) giveUp(t *turn) {
	v.mu.Lock()
	i := slices.Index(v.waiting, t)
	if i >= 0 {
		v.waiting = slices.Delete(v.waiting, i, i+1)
	}
	v.mu.Unlock()
	if i < 0 {
		v.release(t.app, t.high)
	}
}

// give hands out the slots that are free.
func (v *vendorSlots) give() {
	for v.taken < v.limit {
		next := -1
		for i, t := range v.waiting {
			if v.may(t) && (next < 0 || v.before(t, v.waiting[next])) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		t := v.waiting[next]
		v.waiting = slices.Delete(v.waiting, next, next+1)
		v.taken++
		if !t.high {
			v.low++
			v.apps[t.app]++
		}
		close(t.given)
	}
}

func (v *vendorSlots) may(t *turn) bool {
	if t.high {
		return true
	}
	if t.shared && v.apps[t.app] >= max(1, v.limit*3/4) {
		return false
	}
	return v.low < max(1, v.limit-v.limit/8)
}

// before tells whether a turn goes before one that came earlier.
func (v *vendorSlots) before(t, earlier *turn) bool {
	if t.high != earlier.high {
		return t.high
	}
	return !t.high && v.apps[t.app] < v.apps[earlier.app]
}
