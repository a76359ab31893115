package queue

import (
	"context"

	"github.com/postrider/postrider/pkg/push/wire"
)

// A task in work has a slot of its lane. A handler that waits, for its turn at a
// rate limit say, gives the slot back with Park, so that another task is worked
// meanwhile, and takes one again when it goes on; so a lane may have more tasks in
// work than slots for a while. At most as many tasks wait like that as there are
// handlers.

// Place is a task's slot among those that its lane works at once. The zero value
// is that of a task that no lane handed out.
type Place struct {
	s *source
	r *run
}

type placeKey struct{}

// PlaceOf returns the place of the task whose handler has the context.
func PlaceOf(ctx context.Context) Place {
	p, _ := ctx.Value(placeKey{}).(Place)
	return p
}

// Park gives the slot back while this task waits; back takes one again, at once.
// Not ok: as many tasks wait already as there are handlers, and this one is to be
// put back. A task of which several goroutines wait has no slot until the last of
// them calls back.
func (p Place) Park() (back func(), ok bool) {
	if p.s == nil {
		return func() {}, true
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	switch {
	case p.r.ended:
		return func() {}, true
	case p.r.waiting == 0 && p.s.waiting >= p.s.handlers:
		return nil, false
	case p.r.waiting == 0:
		p.s.waiting++
		p.s.freeSlotLocked(p.r)
	}
	p.r.waiting++
	return func() {
		p.s.mu.Lock()
		defer p.s.mu.Unlock()
		if p.r.waiting > 0 {
			p.s.goOnLocked(p.r, 1)
		}
	}, true
}

// goOnLocked notes that n goroutines of the run no longer wait. mu is held.
func (s *source) goOnLocked(r *run, n int) {
	if r.waiting == 0 {
		return
	}
	if r.waiting -= n; r.waiting > 0 {
		return
	}
	s.waiting--
	if s.runs[r.taskName] == r {
		s.takeSlotLocked(r)
	}
}

// takeSlotLocked gives the run a slot of its lane. mu is held.
func (s *source) takeSlotLocked(r *run) {
	r.hasSlot = true
	s.lanes[wire.PendingKey(r.lane)].inWork++
	s.inWork++
}

// freeSlotLocked takes the run's slot back, if it has one, and wakes the server if
// the lane had none left. mu is held.
func (s *source) freeSlotLocked(r *run) {
	if !r.hasSlot {
		return
	}
	r.hasSlot = false
	l := s.lanes[wire.PendingKey(r.lane)]
	full := s.fullLocked(l)
	l.inWork--
	s.inWork--
	if full {
		s.watcher.signal()
	}
}

// fullLocked reports whether the lane may have no other task in work. mu is held.
func (s *source) fullLocked(l *sourceLane) bool { return l.inWork >= l.slots || s.inWork >= s.handlers }
