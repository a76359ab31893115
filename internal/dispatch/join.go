package dispatch

import (
	"context"
	"sync"
	"time"

	"github.com/postrider/postrider/pkg/push"
)

// probe is how long the first task with a message waits for a second one; only
// if one comes does it wait the whole linger. An idle lane is hardly slowed.
const probe = time.Millisecond

// joiner lets small parcels of one message share a request.
type joiner struct {
	mu   sync.Mutex
	open map[joinKey]*batch
}

// batch is parcels that will share a request. The first one's handler sends it.
type batch struct {
	parcel
	seen   map[string]struct{}
	joined chan struct{} // closed when a second parcel comes
	full   chan struct{} // closed when no more fit
	sent   chan struct{} // closed when every answer is recorded
}

// join sends the parcel together with others that come within the linger, and
// returns when its answer is recorded.
func (d *Dispatcher) join(ctx context.Context, a *Account, p *parcel) {
	b, mine := d.joiner.enter(p, a.Batch)
	if !mine {
		select {
		case <-b.sent:
		case <-ctx.Done():
		}
		return
	}
	d.gather(ctx, b)
	d.joiner.close(b)
	defer close(b.sent)
	d.sendInSlot(ctx, a, &b.parcel)
}

// gather waits for others.
func (d *Dispatcher) gather(ctx context.Context, b *batch) {
	start := time.Now()
	t := time.NewTimer(min(probe, d.Linger))
	defer t.Stop()
	select {
	case <-t.C:
		return
	case <-b.full:
		return
	case <-d.draining:
		return
	case <-ctx.Done():
		return
	case <-b.joined:
	}
	t.Reset(max(0, d.Linger-time.Since(start)))
	select {
	case <-t.C:
	case <-b.full:
	case <-d.draining:
	case <-ctx.Done():
	}
}

// enter adds the parcel to an open batch, or opens one that is mine to send.
func (j *joiner) enter(p *parcel, limit int) (b *batch, mine bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b = j.open[p.joinKey]
	if b != nil && b.n+p.n <= limit && !b.holds(p) {
		if b.alone() {
			close(b.joined)
		}
		b.take(p)
		if b.n == limit {
			delete(j.open, p.joinKey)
			close(b.full)
		}
		return b, false
	}
	if b != nil {
		// It is as full as it gets.
		close(b.full)
	}
	b = &batch{
		parcel: parcel{joinKey: p.joinKey, priority: p.priority, message: p.message, until: p.until},
		seen:   map[string]struct{}{}, joined: make(chan struct{}), full: make(chan struct{}), sent: make(chan struct{}),
	}
	b.take(p)
	j.open[p.joinKey] = b
	return b, true
}

// close takes the batch out of those that may be joined.
func (j *joiner) close(b *batch) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.open[b.joinKey] == b {
		delete(j.open, b.joinKey)
	}
}

// alone tells whether nobody has joined yet.
func (b *batch) alone() bool {
	select {
	case <-b.joined:
		return false
	default:
		return true
	}
}

func (b *batch) holds(p *parcel) bool {
	for _, s := range p.spans {
		if twice(b.seen, s.tokens) {
			return true
		}
	}
	return false
}

func (b *batch) take(p *parcel) {
	for _, s := range p.spans {
		for _, t := range s.tokens {
			b.seen[t] = struct{}{}
		}
	}
	b.spans = append(b.spans, p.spans...)
	b.n += p.n
	if p.until.Before(b.until) {
		b.until = p.until
	}
	if p.priority == push.Normal {
		b.priority = push.Normal // never slower than its most urgent part
	}
}
