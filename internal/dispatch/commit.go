package dispatch

import (
	"context"
	"slices"
	"time"
)

// commit records what has to be in Redis before a request is made: the keys that
// were drawn for it, and of at-most-once jobs that it is about to be made. The
// claims of all that share the request are recorded in one round trip. False
// means that this run may not make it.
func (d *Dispatcher) commit(ctx context.Context, s shipment) bool {
	needed := false
	for _, p := range s {
		needed = p.unrecorded || needed
		p.unrecorded = false
	}
	for _, p := range s.spans() {
		if p.c.open.Chunk.Entries[p.entry].AtMostOnce {
			needed = p.intend() || needed
		}
	}
	if !needed {
		return true
	}
	claims := s.claims()
	d.settle(ctx, claims...) // together
	ok := true
	for _, c := range claims {
		ok = d.settled(ctx, c) && ok
	}
	if !ok {
		d.takeBack(ctx, s, d.Now().Add(time.Second), "another worker took a chunk of this request over")
	}
	return ok
}

// intend marks the span's tokens as sent; false if they are marked already.
func (s *span) intend() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if _, marked := s.c.intents[s.place(0)]; marked {
		return false
	}
	s.c.pending()
	for i := range s.tokens {
		s.c.intend(s.place(i))
	}
	return true
}

// takeBack undoes the marks of a request that is not made after all, and puts
// its parcels back.
func (d *Dispatcher) takeBack(ctx context.Context, s shipment, at time.Time, why string) {
	for _, p := range s.spans() {
		p.c.mu.Lock()
		p.c.pending()
		for i := range p.tokens {
			p.c.unmark(p.place(i))
		}
		p.c.mu.Unlock()
	}
	s.again(at, why)
	d.settle(ctx, s.claims()...)
}

// noteSent has Redis know that tokens of fresh chunks are being sent, if the
// worker is told to stop before their request has its answer: it may be gone
// when that comes, and the next run must not let them join others under a key
// that is not theirs. The caller calls done after the request.
func (d *Dispatcher) noteSent(ctx context.Context, s shipment) (done func()) {
	var fresh []*claim
	for _, p := range s {
		if p.key != "" {
			continue // it is theirs whatever becomes of this run
		}
		for _, one := range p.spans {
			if one.c.generation() == 0 && !slices.Contains(fresh, one.c) {
				fresh = append(fresh, one.c)
			}
		}
	}
	if len(fresh) == 0 {
		return func() {}
	}
	noted := make(chan struct{})
	stop := context.AfterFunc(d.life, func() {
		defer close(noted)
		for _, c := range fresh {
			c.mu.Lock()
			c.pending()
			c.mu.Unlock()
		}
		d.settle(ctx, fresh...)
	})
	return func() {
		if !stop() {
			<-noted
		}
	}
}
