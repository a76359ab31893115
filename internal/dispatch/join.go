package dispatch

import (
	"context"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/coord"
)

// probe is how long the first of several small tasks waits for a second one;
// only if one comes does it wait the whole linger. An idle lane is hardly slowed.
const probe = time.Millisecond

// longest bounds the wait in lingers, while others keep coming.
const longest = 20

// joiner lets small parcels share a request: those of one message or, where the
// vendor takes different messages at once, of one app.
type joiner struct {
	mu   sync.Mutex
	open map[joinKey]*batch
}

// batch is parcels that will share a request.
type batch struct {
	key joinKey
	// callers are the parcels' handlers. The request is given up when all of them
	// are canceled, and not before.
	callers *coord.Callers
	all     shipment
	n       int
	seen    map[string]struct{}
	joined  chan struct{} // told when another parcel came
	full    chan struct{} // closed when no more fit
}

// join sends the parcel together with others that come within the linger, and
// returns when its answer is recorded.
func (d *Dispatcher) join(ctx context.Context, a *account.Account, p *parcel) {
	k, limit := p.joinKey, a.BatchFor(p.message)
	if mixes(a, p) {
		k, limit = joinKey{app: p.app, vendor: p.vendor, quotas: quotas(a, p)}, a.MaxMixed()
	}
	b, first := d.joiner.enter(ctx, k, p, limit)
	if first {
		b.callers.Run(func(ctx context.Context) {
			d.gather(ctx, b)
			d.joiner.close(b)
			d.sendInSlot(ctx, a, b.all, false)
		})
	}
	_ = b.callers.Wait(ctx) // the verdict on the claim says what became of it
}

// gather waits for others: for a first one hardly, then until none has come for
// the linger, or the batch is full.
func (d *Dispatcher) gather(ctx context.Context, b *batch) {
	end := time.NewTimer(longest * d.Linger)
	defer end.Stop()
	next := time.NewTimer(min(probe, d.Linger))
	defer next.Stop()
	for {
		select {
		case <-b.joined:
			next.Reset(d.Linger)
			continue
		case <-next.C:
		case <-end.C:
		case <-b.full:
		case <-d.draining:
		case <-ctx.Done():
		}
		return
	}
}

// enter adds the parcel to the open batch of its key, or opens one with it as
// the first.
func (j *joiner) enter(ctx context.Context, k joinKey, p *parcel, limit int) (b *batch, first bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b = j.open[k]
	if b != nil && b.n+p.n <= limit && !twice(b.seen, p.tokens()) && b.callers.Join() {
		b.take(p)
		select {
		case b.joined <- struct{}{}:
		default: // told already
		}
		if b.n == limit {
			delete(j.open, k)
			close(b.full)
		}
		return b, false
	}
	if b != nil {
		close(b.full) // as full as it gets
	}
	b = &batch{
		key: k, callers: coord.NewCallers(ctx), seen: map[string]struct{}{}, joined: make(chan struct{}, 1), full: make(chan struct{}),
	}
	b.take(p)
	j.open[k] = b
	return b, true
}

// close takes the batch out of those that may be joined.
func (j *joiner) close(b *batch) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.open[b.key] == b {
		delete(j.open, b.key)
	}
}

// take puts a parcel into the batch: into the one with the same message, if
// there is one.
func (b *batch) take(p *parcel) {
	for _, t := range p.tokens() {
		b.seen[t] = struct{}{}
	}
	b.n += p.n
	for _, have := range b.all {
		if have.joinKey == p.joinKey {
			have.merge(p)
			return
		}
	}
	b.all = append(b.all, p)
}
