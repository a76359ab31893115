// Package slots bounds the requests in flight at each vendor and shares them out
// between apps. It knows apps and vendors only by their names; it knows neither
// Redis nor what a request is for.
package slots

import (
	"context"
	"slices"
	"sync"

	"github.com/postrider/postrider/pkg/push"
)

// Slots are the requests that may be in flight at each vendor. An eighth of them
// is for high priority only. Where apps share a vendor, no app gets more than
// three quarters of them for its other requests, so that one whose requests hang
// leaves room for the others. A slot that becomes free goes to the app that has
// the fewest. Slots are safe for concurrent use.
type Slots struct {
	limit    int
	draining <-chan struct{}

	mu      sync.Mutex
	vendors map[string]*vendorSlots
}

// Request says whose request needs a slot.
type Request struct {
	Vendor, App string
	Priority    push.Priority
	// Shared: another app uses the vendor too.
	Shared bool
}

func (r Request) high() bool { return r.Priority == push.High }

// New returns slots for limit requests at each vendor, at least one. Once
// draining is closed nobody gets a slot any more.
func New(limit int, draining <-chan struct{}) *Slots {
	return &Slots{limit: max(1, limit), draining: draining, vendors: map[string]*vendorSlots{}}
}

// Limit is the most requests in flight at one vendor.
func (s *Slots) Limit() int { return s.limit }

// Slot returns a slot for a request, which the request does not have yet.
func (s *Slots) Slot(r Request) *Slot { return &Slot{all: s, request: r} }

// Slot is the slot of one request. The request leaves it to others while it
// waits. A Slot is not safe for concurrent use.
type Slot struct {
	all     *Slots
	request Request
	taken   bool
}

// Take waits until the request has its slot. It returns false if ctx ends or the
// Slots are draining before that.
func (s *Slot) Take(ctx context.Context) bool {
	select {
	case <-s.all.draining:
		return false
	default:
	}
	v, t := s.all.of(s.request.Vendor), &turn{Request: s.request, given: make(chan struct{})}
	v.ask(t)
	select {
	case <-t.given:
		s.taken = true
		return true
	case <-s.all.draining:
	case <-ctx.Done():
	}
	v.giveUp(t)
	return false
}

// Leave gives the slot to others. It does nothing if the request has none.
func (s *Slot) Leave() {
	if s.taken {
		s.taken = false
		s.all.of(s.request.Vendor).release(s.request)
	}
}

// vendorSlots are the slots of one vendor.
type vendorSlots struct {
	limit int

	mu      sync.Mutex
	taken   int                        // all requests in flight
	low     int                        // those of them that are not of high priority
	apps    map[string]int             // low, by app
	waiting []*turn                    // in the order in which they came
	large   map[largeKey]chan struct{} // see large.go
}

// turn is a request's place among those that wait for a slot.
type turn struct {
	Request
	given chan struct{} // closed when it has its slot
}

func (s *Slots) of(vendor string) *vendorSlots {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.vendors[vendor]
	if v == nil {
		v = &vendorSlots{limit: s.limit, apps: map[string]int{}, large: map[largeKey]chan struct{}{}}
		s.vendors[vendor] = v
	}
	return v
}

func (v *vendorSlots) ask(t *turn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.waiting = append(v.waiting, t)
	v.giveLocked()
}

func (v *vendorSlots) release(r Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.taken--
	if !r.high() {
		v.low--
		if v.apps[r.App]--; v.apps[r.App] == 0 {
			delete(v.apps, r.App)
		}
	}
	v.giveLocked()
}

// giveUp ends the wait of a turn. If it was given a slot meanwhile, the slot is
// released.
func (v *vendorSlots) giveUp(t *turn) {
	v.mu.Lock()
	i := slices.Index(v.waiting, t)
	if i >= 0 {
		v.waiting = slices.Delete(v.waiting, i, i+1)
	}
	v.mu.Unlock()
	if i < 0 {
		v.release(t.Request)
	}
}

// giveLocked hands out the slots that are free, with mu held.
func (v *vendorSlots) giveLocked() {
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
		if !t.high() {
			v.low++
			v.apps[t.App]++
		}
		close(t.given)
	}
}

// may reports whether a free slot may be given to a turn.
func (v *vendorSlots) may(t *turn) bool {
	if t.high() {
		return true
	}
	if t.Shared && v.apps[t.App] >= max(1, v.limit*3/4) {
		return false
	}
	return v.low < max(1, v.limit-v.limit/8)
}

// before reports whether a turn gets a slot before one that came earlier.
func (v *vendorSlots) before(t, earlier *turn) bool {
	if t.high() != earlier.high() {
		return t.high()
	}
	return !t.high() && v.apps[t.App] < v.apps[earlier.App]
}
