package dispatch

import (
	"context"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/dispatch/slots"
	"github.com/postrider/postrider/pkg/vendors"
)

// request is one request to a vendor, from the wait for a slot to the record of
// its answer. It has a message for each of its batches; more than one go only to a
// vendor that takes mixed requests.
type request struct {
	*account.Account
	batches batches
	slot    *slots.Slot
	// large: it is one of several of its chunk, which is in the account's line as a
	// whole.
	large bool
	// leaveLine takes it out of the account's line; nil: it is not in it.
	leaveLine func()
	admission Admission
}

// send makes one request with the batches and records what the vendor said. large:
// it is one of several of its chunk.
func (d *Dispatcher) send(ctx context.Context, a *account.Account, bs batches, large bool) {
	r := &request{Account: a, batches: bs, large: large, slot: d.slots.Slot(slotFor(a, bs.Priority()))}
	if !r.slot.Take(ctx) {
		r.putBack(d.Now(), reasonStopping)
		return
	}
	defer r.slot.Leave() // it has none while it waits for a permit
	if !d.admit(ctx, r) {
		return
	}
	defer d.endProbe(ctx, r)
	if !d.leaveOutParked(ctx, r) || !d.endExpired(ctx, r) {
		return
	}
	calls := r.calls(d.Now())
	d.trace(ctx, r, calls)
	ans := d.ask(ctx, r, calls)
	if ans == nil {
		return // it was put back
	}
	d.tell(ctx, r, ans)
	d.apply(r, ans)
	d.recorder.record(ctx, r.batches.Owners()...)
}

// endProbe tells the gate that a request which was a probe is over.
func (d *Dispatcher) endProbe(ctx context.Context, r *request) {
	if r.admission.Probe != "" || r.admission.JobProbe != "" {
		d.Gate.Done(context.WithoutCancel(ctx), r.Account, r.admission)
	}
}

// calls are what the vendor's adapter is given: a request for each message.
func (r *request) calls(now time.Time) []*vendors.Request {
	all := make([]*vendors.Request, len(r.batches))
	for i, b := range r.batches {
		identify(b)
		all[i] = &vendors.Request{
			Message: b.Message, Tokens: b.Tokens(), TTL: max(b.KeepUntil.Sub(now), time.Second), Key: b.Tag, Now: now,
			ReceiptURL: r.ReceiptURL,
		}
	}
	return all
}

// putBack puts the request's chunks back.
func (r *request) putBack(at time.Time, reason string) {
	segments := r.batches.Segments()
	for i := range segments {
		segments[i].Owner.putBack(at, reason)
	}
}
