package queue

import (
	"context"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Place is a task's place among those that its lane works at once. The zero
// value is that of a task that no lane handed out.
type Place struct {
	w *waiter
	r *run
}

type placeKey struct{}

// PlaceOf returns the place of the task whose handler has the context.
func PlaceOf(ctx context.Context) Place {
	p, _ := ctx.Value(placeKey{}).(Place)
	return p
}

// Park leaves the place to another task while this one waits; back takes a place
// again, at once. Not ok: as many wait already as may be worked, and this one is
// to be put back. A task of which several goroutines wait has no place until the
// last of them is back.
func (p Place) Park() (back func(), ok bool) {
	if p.w == nil {
		return func() {}, true
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	switch {
	case p.r.ended:
		return func() {}, true
	case p.r.parked == 0 && p.w.parked >= p.w.handlers:
		return nil, false
	case p.r.parked == 0:
		p.w.parked++
		p.w.leaveLocked(p.r)
	}
	p.r.parked++
	return func() {
		p.w.mu.Lock()
		defer p.w.mu.Unlock()
		if p.r.parked > 0 {
			p.w.unparkLocked(p.r, 1)
		}
	}, true
}

// unparkLocked notes that n goroutines of the run wait no more. mu is held.
func (w *waiter) unparkLocked(r *run, n int) {
	if r.parked == 0 {
		return
	}
	if r.parked -= n; r.parked > 0 {
		return
	}
	w.parked--
	if w.runs[r.taskName] == r {
		r.counts = true
		w.lanes[wire.PendingKey(r.lane)].inWork++
		w.inWork++
	}
}
