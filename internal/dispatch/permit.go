package dispatch

import (
	"context"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// How long a request waits in its handler, with neither slot nor place: for the
// end of a pause, and for its turn at the rate limit. For a longer wait the task
// is put back.
const (
	shortPause = time.Second
	shortTurn  = 2 * time.Second
)

// longestSpread is the longest time over which what waited together comes back.
const longestSpread = time.Minute

// admit waits for a permit. It returns false if the request is put back.
func (d *Dispatcher) admit(ctx context.Context, r *request) bool {
	defer func() {
		if r.leaveLine != nil {
			r.leaveLine()
		}
	}()
	demand := r.demand()
	for {
		adm, err := d.Gate.Admit(ctx, r.Account, demand)
		r.admission = adm
		switch {
		case err != nil:
			r.putBack(d.Now().Add(time.Second), reasonPermit+err.Error())
			return false
		case adm.Wait <= 0:
			return true
		case adm.Limited && demand.Priority != push.High:
			if !r.large && !d.enterLine(ctx, r, demand) {
				return false
			}
		case adm.Wait > shortPause:
			spread := time.Duration(float64(min(adm.Wait/8, longestSpread)) * jitter())
			r.putBackAdmission(earlier(d.Now().Add(adm.Wait+spread), r.batches.Expires()))
			return false
		}
		// What is looked up now does not delay a request that has its permit.
		if adm.Limited {
			d.prefetchAccess(ctx, r)
		}
		if !d.waitInHandler(ctx, r, demand) || !d.recheck(ctx, r) {
			return false
		}
	}
}

// demand is what the request asks the gate for.
func (r *request) demand() Demand {
	m, n := r.batches[0].Message, r.batches.Count()
	return Demand{Priority: r.batches.Priority(), Units: r.Permits(m, n), Buckets: r.Spec.Buckets(m, n)}
}

// enterLine puts the request into its account's line. If it does not fit, or
// would wait for long, it is put back for a time of its own.
func (d *Dispatcher) enterLine(ctx context.Context, r *request, demand Demand) bool {
	ahead := 0
	if r.leaveLine == nil {
		r.leaveLine, ahead = d.lines.enter(r.Account, demand.Priority, demand.Units)
	}
	if r.leaveLine != nil && r.admission.Wait <= shortTurn {
		return true
	}
	r.slot.Leave()
	d.putBackForTurn(ctx, r, demand, ahead)
	return false
}

// putBackForTurn puts the request back for a time of its own at the rate limit.
func (d *Dispatcher) putBackForTurn(ctx context.Context, r *request, demand Demand, ahead int) {
	w := Waiting{demand.Priority, demand.Units, ahead, r.hadItsTurn(d.Now())}
	r.putBack(d.turn(ctx, r.Account, w, r.batches.Expires()))
}

// prefetchAccess gets an access token for a request that will be made soon.
func (d *Dispatcher) prefetchAccess(ctx context.Context, r *request) {
	if g, ok := r.Vendor.(vendors.Granter); ok {
		_, _ = d.Access.Access(ctx, r.App, r.Spec.Name, g, r.Fingerprint) // the request meets the error again
	}
}

// putBackAdmission puts back a request that the gate did not admit. The gate
// remembers a pause, so the chunk may come back before it for its other jobs.
func (r *request) putBackAdmission(at time.Time) {
	if !r.admission.Paused {
		r.putBack(at, r.admission.Why)
		return
	}
	segments := r.batches.Segments()
	for i := range segments {
		segments[i].Owner.askGateAt(at, r.admission.Why)
	}
}

// waitInHandler waits as long as the admission says. Meanwhile others have the
// slot, and the places of the tasks. It returns false if the request is put back.
func (d *Dispatcher) waitInHandler(ctx context.Context, r *request, demand Demand) bool {
	r.slot.Leave()
	back, ok := r.leavePlaces()
	switch {
	case !ok && r.admission.Limited:
		d.putBackForTurn(ctx, r, demand, d.lines.ahead(r.Account, demand.Priority))
		return false
	case !ok:
		r.putBackAdmission(earlier(d.Now().Add(r.admission.Wait), r.batches.Expires()))
		return false
	}
	defer back()
	// A job may be canceled meanwhile, which is to be noticed soon.
	timer := time.NewTimer(min(r.admission.Wait, shortTurn))
	defer timer.Stop()
	select {
	case <-timer.C:
		if r.slot.Take(ctx) {
			return true
		}
	case <-d.draining:
	case <-ctx.Done():
		r.putBack(d.Now(), reasonTakenBack)
		return false
	}
	r.putBack(d.Now(), reasonStopping)
	return false
}

// leavePlaces leaves the places of the request's tasks to others. Not ok: they
// may not wait.
func (r *request) leavePlaces() (back func(), ok bool) {
	var left []func()
	back = func() {
		for _, b := range left {
			b()
		}
	}
	for _, c := range r.batches.Owners() {
		b, ok := c.place.Park()
		if !ok {
			back()
			return nil, false
		}
		left = append(left, b)
	}
	return back, true
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
