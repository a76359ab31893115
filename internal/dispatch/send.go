package dispatch

import (
	"context"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors"
)

// For how long a request waits in its handler, with neither slot nor place: for
// the end of a pause, and for its turn at the rate limit. For a longer wait the
// task is put back.
const (
	shortPause = time.Second
	shortTurn  = 2 * time.Second
)

// send makes one request for the parcels and records what the vendor said. The
// caller holds a slot. More than one parcel go only to a vendors.MixedSender.
func (d *Dispatcher) send(ctx context.Context, a *Account, s shipment, w *wait) {
	ticket, ok := d.admit(ctx, a, s, w)
	if !ok {
		return
	}
	defer func() {
		if ticket.Probe != "" || ticket.JobProbe != "" {
			d.Gate.Done(context.WithoutCancel(ctx), a, ticket)
		}
	}()
	s = d.leaveParked(ctx, a, &ticket, s)
	s = d.dropExpired(ctx, s)
	if len(s) == 0 {
		return
	}
	now := d.Now()
	reqs := make([]*vendors.Request, len(s))
	for i, p := range s {
		p.identify()
		reqs[i] = &vendors.Request{
			Message: p.message, Tokens: p.tokens(), TTL: max(p.until.Sub(now), time.Second), Key: p.tag, Now: now,
			ReceiptURL: a.ReceiptURL,
		}
	}
	d.trace(ctx, a, s, reqs)
	asked := call{a, ticket, s}
	ans := d.request(ctx, asked, reqs)
	if ans.withheld {
		return
	}
	d.apply(asked, ans)
	d.settle(ctx, s.claims()...)
}

// longestSpread is the longest time over which what waited together comes back.
const longestSpread = time.Minute

// wait is how a request waits for its permit.
type wait struct {
	seat *seat
	// wide: it is one of many of its chunk, which is in the account's line as a whole.
	wide bool
	// leave takes it out of the line; nil: it is not in it.
	leave func()
}

// admit waits for a permit; false means that the parcels are put back.
func (d *Dispatcher) admit(ctx context.Context, a *Account, s shipment, w *wait) (Ticket, bool) {
	defer func() {
		if w.leave != nil {
			w.leave()
		}
	}()
	load := Load{Priority: s.priority(), Units: a.permits(s[0].message, s.count()), Buckets: a.Spec.Buckets(s[0].message, s.count())}
	for {
		t, err := d.Gate.Admit(ctx, a, load)
		switch {
		case err != nil:
			s.again(d.Now().Add(time.Second), "permit: "+err.Error())
			return t, false
		case t.Wait <= 0:
			return t, true
		case t.Limited && load.Priority != push.High:
			if !w.wide && !d.inLine(ctx, a, s, load, t, w) {
				return t, false
			}
		case t.Wait > shortPause:
			spread := time.Duration(float64(min(t.Wait/8, longestSpread)) * jitter())
			s.putOff(earlier(d.Now().Add(t.Wait+spread), s.expires()), t)
			return t, false
		}
		// What is looked up now delays no request that has its permit.
		if t.Limited {
			d.warm(ctx, a)
		}
		if !d.sitOut(ctx, s, load, t, w.seat) || d.withhold(ctx, s) {
			return t, false
		}
	}
}

// inLine puts a request into its account's line; false: it does not fit, or would
// wait for long, and is put back for a time of its own.
func (d *Dispatcher) inLine(ctx context.Context, a *Account, s shipment, load Load, t Ticket, w *wait) bool {
	ahead := 0
	if w.leave == nil {
		w.leave, ahead = d.lines.join(a, load.Priority, load.Units)
	}
	if w.leave != nil && t.Wait <= shortTurn {
		return true
	}
	w.seat.leave()
	s.again(d.placed(ctx, a, Waiting{load.Priority, load.Units, ahead, s.promised(d.Now())}, s.expires()))
	return false
}

// warm has an access token at hand for a request that will be made soon.
func (d *Dispatcher) warm(ctx context.Context, a *Account) {
	if g, ok := a.Vendor.(vendors.Granter); ok {
		_, _ = d.Access.Access(ctx, a.App, a.Spec.Name, g, a.Fingerprint) // the request meets the error again
	}
}

// putOff puts a shipment back that the gate did not admit. The gate remembers a
// pause, and the chunk may come back before it for the sake of its other jobs.
func (s shipment) putOff(at time.Time, t Ticket) {
	if !t.Paused {
		s.again(at, t.Why)
		return
	}
	for _, p := range s.spans() {
		p.c.hold(at, t.Why)
	}
}

// sitOut waits for what the ticket says; false means that the parcels are put
// back. Meanwhile the slot, and the places of the tasks, are others'.
func (d *Dispatcher) sitOut(ctx context.Context, s shipment, load Load, t Ticket, seat *seat) bool {
	seat.leave()
	back, ok := s.park()
	if !ok && t.Limited {
		w := Waiting{load.Priority, load.Units, d.lines.ahead(seat.a, load.Priority), s.promised(d.Now())}
		s.again(d.placed(ctx, seat.a, w, s.expires()))
		return false
	}
	if !ok {
		s.putOff(earlier(d.Now().Add(t.Wait), s.expires()), t)
		return false
	}
	defer back()
	// A job may be canceled meanwhile, which is to be noticed soon.
	timer := time.NewTimer(min(t.Wait, shortTurn))
	defer timer.Stop()
	select {
	case <-timer.C:
		if seat.take(ctx) {
			return true
		}
	case <-d.draining:
	case <-ctx.Done():
		s.again(d.Now(), "the task was taken back")
		return false
	}
	s.again(d.Now(), stopping)
	return false
}

// expires is when the first of the shipment's jobs expires: its tokens are then
// counted, however long the others have to wait.
func (s shipment) expires() time.Time {
	spans := s.spans()
	first := spans[0].c.open.Chunk.Entries[spans[0].entry].Expires
	for _, p := range spans[1:] {
		first = min(first, p.c.open.Chunk.Entries[p.entry].Expires)
	}
	return time.UnixMilli(first)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// dropExpired ends what expired while it waited and returns what is left.
func (d *Dispatcher) dropExpired(ctx context.Context, s shipment) shipment {
	now, dropped := d.Now().UnixMilli(), false
	claims, left := s.claims(), s[:0:0]
	for _, p := range s {
		dropped = p.dropExpired(now) || dropped
		if p.n > 0 {
			left = append(left, p)
		}
	}
	if dropped {
		d.settle(ctx, claims...)
	}
	return left
}

func (p *parcel) dropExpired(now int64) bool {
	left := p.spans[:0:0]
	for _, s := range p.spans {
		if now < s.c.open.Chunk.Entries[s.entry].Expires {
			left = append(left, s)
			continue
		}
		s.c.mu.Lock()
		for i, token := range s.tokens {
			s.c.end(s.entry, s.place(i), token, retry.Decision{Outcome: wire.Expired}, nil)
		}
		s.c.mu.Unlock()
		p.n -= len(s.tokens)
	}
	dropped := len(left) < len(p.spans)
	p.spans = left
	return dropped
}
