package dispatch

import (
	"context"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/pkg/push/wire"
)

// parkedJob is why a task waits whose jobs are all parked.
const parkedJob = "parked after a configuration error of the job's own: see enqueue lanes"

// Job is a job of a request.
type Job struct {
	ID      string
	Expires time.Time
}

// jobs are those of the spans, each once.
func jobs(spans []span) []Job {
	var all []Job
	seen := map[string]bool{}
	for i := range spans {
		e := spans[i].entryOf()
		if !seen[e.Job] {
			seen[e.Job] = true
			all = append(all, Job{ID: e.Job, Expires: time.UnixMilli(e.Expires)})
		}
	}
	return all
}

func (s *span) entryOf() *wire.Entry { return &s.c.open.Chunk.Entries[s.entry] }

// jobIDs are the ids of the shipment's jobs, each once.
func (s shipment) jobIDs() []string {
	all := jobs(s.spans())
	ids := make([]string, len(all))
	for i, j := range all {
		ids[i] = j.ID
	}
	return ids
}

// lookParked notes which jobs of the chunk are parked. What cannot be known now
// is asked again right before the request.
func (d *Dispatcher) lookParked(ctx context.Context, a *account.Account, c *claim) {
	c.parked, _ = d.Gate.Parked(ctx, a, func() []string {
		ids := make([]string, len(c.open.Chunk.Entries))
		for i := range ids {
			ids[i] = c.open.Chunk.Entries[i].Job
		}
		return ids
	})
}

// parking tells whether the entry's job is parked: then the chunk comes back for
// it. alone: its wait is over, and a request with nothing but it shows whether it
// goes on.
func (c *claim) parking(e *wire.Entry, now time.Time) (waits, alone bool) {
	until, parked := c.parked[e.Job]
	if !parked || !until.After(now) {
		return false, parked
	}
	c.hold(comeBack(until, now, e), parkedJob)
	return true, false
}

// comeBack is when a chunk comes back for a parked job: not all at once with the
// job's other chunks, and no later than it expires.
func comeBack(until, now time.Time, e *wire.Entry) time.Time {
	spread := time.Duration(float64(min(until.Sub(now)/8, longestSpread)) * jitter())
	return earlier(until.Add(spread), time.UnixMilli(e.Expires))
}

// leaveParked takes out of an admitted shipment the jobs that were parked since
// their chunks were loaded, and has the gate make it the probe of those whose
// wait is over.
func (d *Dispatcher) leaveParked(ctx context.Context, a *account.Account, t *Admission, s shipment) shipment {
	parked, err := d.Gate.Try(ctx, a, t, s.jobIDs)
	switch {
	case err != nil:
		s.again(d.Now().Add(time.Second), err.Error())
		return nil
	case len(parked) == 0:
		return s
	}
	now, left := d.Now(), s[:0:0]
	for _, p := range s {
		if p.leave(parked, now); p.n > 0 {
			left = append(left, p)
		}
	}
	return left
}

// leave puts back the spans of parked jobs.
func (p *parcel) leave(parked map[string]time.Time, now time.Time) {
	left := p.spans[:0:0]
	for _, s := range p.spans {
		e := s.entryOf()
		until, waits := parked[e.Job]
		if !waits {
			left = append(left, s)
			continue
		}
		s.c.hold(comeBack(until, now, e), parkedJob)
		p.n -= len(s.tokens)
	}
	p.spans = left
}

// hold notes when a part of what is left comes again that the gate keeps back.
// The gate is asked again then, so the earliest of these times counts.
func (c *claim) hold(at time.Time, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holdLocked(at, reason)
}

// holdLocked is hold with mu held.
func (c *claim) holdLocked(at time.Time, reason string) {
	if c.held.IsZero() || at.Before(c.held) {
		c.held, c.heldFor = at, reason
	}
}

// due is when the chunk comes again: when the last of the tokens whose wait only
// the chunk knows may be sent, else when the gate is to be asked again.
func (c *claim) due() (at time.Time, reason string) {
	if c.next.IsZero() {
		return c.held, c.heldFor
	}
	return c.next, c.reason
}
