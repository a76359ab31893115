package group

import (
	"context"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/coord"
)

// firstWait is how long the first of several small batches waits for a second
// one. Only if one comes does it wait the whole linger, so that a lane with few
// tasks is hardly slowed.
const firstWait = time.Millisecond

// maxLingers bounds the wait while others keep coming, in lingers.
const maxLingers = 20

// Gatherer lets small batches of several tasks share a request: those of one
// message or, where the vendor takes different messages at once, of one app. It
// is safe for concurrent use.
type Gatherer[C comparable] struct {
	linger   time.Duration
	draining <-chan struct{}

	mu   sync.Mutex
	open map[gatherKey]*gathering[C]
}

// NewGatherer returns a Gatherer whose batches wait up to linger for each next
// one. Once draining is closed none waits any more.
func NewGatherer[C comparable](linger time.Duration, draining <-chan struct{}) *Gatherer[C] {
	return &Gatherer[C]{linger: linger, draining: draining, open: map[gatherKey]*gathering[C]{}}
}

// gatherKey is what batches that share a request have in common: all of Key, or
// of different messages the app, the vendor and the quotas.
type gatherKey struct {
	Key
	quotas string
}

// gathering is batches that will share a request.
type gathering[C comparable] struct {
	key gatherKey
	// callers are the batches' tasks. The request is given up when all of them are
	// canceled, and not before.
	callers *coord.Callers
	batches Batches[C]
	count   int // of tokens
	tokens  tokenSet
	joined  chan struct{} // receives when another batch came
	full    chan struct{} // closed when no more fit
}

// Small reports whether the batch is to wait for others rather than be sent at once.
func (g *Gatherer[C]) Small(a *account.Account, b *Batch[C]) bool {
	return g.linger > 0 && !b.Exclusive && b.Count <= a.BatchFor(b.Message)/2
}

// Send sends the batch together with others that come within the linger. It
// returns when send, which one of them calls, has returned, or ctx ends.
func (g *Gatherer[C]) Send(ctx context.Context, a *account.Account, b *Batch[C], send func(context.Context, Batches[C])) {
	k, limit := gatherKey{Key: b.Key}, a.BatchFor(b.Message)
	if mayMix(a, b) {
		k, limit = gatherKey{Key: Key{App: b.App, Vendor: b.Vendor}, quotas: quotasOf(a, b)}, a.MaxMixed()
	}
	shared, first := g.enter(ctx, k, b, limit)
	if first {
		shared.callers.Run(func(ctx context.Context) {
			g.wait(ctx, shared)
			g.close(shared)
			send(ctx, shared.batches)
		})
	}
	_ = shared.callers.Wait(ctx) // the batch's owner knows what became of it
}

// wait waits for other batches: a short time for a first one, then until none has
// come for the linger, or no more fit.
func (g *Gatherer[C]) wait(ctx context.Context, open *gathering[C]) {
	end := time.NewTimer(maxLingers * g.linger)
	defer end.Stop()
	next := time.NewTimer(min(firstWait, g.linger))
	defer next.Stop()
	for {
		select {
		case <-open.joined:
			next.Reset(g.linger)
			continue
		case <-next.C:
		case <-end.C:
		case <-open.full:
		case <-g.draining:
		case <-ctx.Done():
		}
		return
	}
}

// enter adds the batch to the open gathering of its key, or opens one with it as
// the first.
func (g *Gatherer[C]) enter(ctx context.Context, k gatherKey, b *Batch[C], limit int) (_ *gathering[C], first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	open := g.open[k]
	if open != nil && open.count+b.Count <= limit && !open.tokens.hasAny(b.Tokens()) && open.callers.Join() {
		open.add(b)
		select {
		case open.joined <- struct{}{}:
		default: // it has not yet received the last one
		}
		if open.count == limit {
			delete(g.open, k)
			close(open.full)
		}
		return open, false
	}
	if open != nil {
		close(open.full) // the batch does not fit, so waiting longer is of no use
	}
	open = &gathering[C]{
		key: k, callers: coord.NewCallers(ctx), tokens: tokenSet{}, joined: make(chan struct{}, 1), full: make(chan struct{}),
	}
	open.add(b)
	g.open[k] = open
	return open, true
}

// close takes the gathering out of those that may be joined.
func (g *Gatherer[C]) close(open *gathering[C]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open[open.key] == open {
		delete(g.open, open.key)
	}
}

// add adds a batch: to the one with the same key, if there is one.
func (o *gathering[C]) add(b *Batch[C]) {
	o.tokens.add(b.Tokens())
	o.count += b.Count
	for _, have := range o.batches {
		if have.Key == b.Key {
			have.merge(b)
			return
		}
	}
	o.batches = append(o.batches, b)
}
