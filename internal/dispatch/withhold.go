package dispatch

import (
	"context"
	"slices"
	"time"

	"github.com/postrider/postrider/internal/ledger"
)

// staleAfter is how old what Redis said of a chunk and its jobs may be when a
// request begins: nothing new is to be sent a second after somebody canceled a
// job, nor by a worker that slept while another took its chunk over.
const staleAfter = 500 * time.Millisecond

// withhold asks again, where the shipment waited long since its load, and puts
// it back if a job of it was canceled or a chunk is another worker's by now; the
// next run ends what is canceled. False means that it may be sent now.
func (d *Dispatcher) withhold(ctx context.Context, s shipment) bool {
	spans, now := s.spans(), d.Now()
	if !slices.ContainsFunc(spans, func(p span) bool { return p.c.asked().Before(now.Add(-staleAfter)) }) {
		return false
	}
	why, err := d.Book.Held(ctx, holds(spans))
	switch {
	case err != nil:
		d.takeBack(ctx, s, d.Now().Add(time.Second), err.Error())
	case why == ledger.TakenOver:
		d.takeBack(ctx, s, d.Now().Add(time.Second), why)
	case why != "":
		d.takeBack(ctx, s, d.Now(), why)
	default:
		for _, c := range s.claims() {
			c.confirm(now)
		}
	}
	return err != nil || why != ""
}

// holds are what the spans' chunks and jobs have to be for them to be sent.
func holds(spans []span) []ledger.Hold {
	var all []ledger.Hold
	at := map[*claim]int{}
	for _, p := range spans {
		i, ok := at[p.c]
		if !ok {
			i = len(all)
			at[p.c] = i
			all = append(all, ledger.Hold{Chunk: p.c.open.Ref, Gen: p.c.generation()})
		}
		e := &p.c.open.Chunk.Entries[p.entry]
		all[i].Jobs = append(all[i].Jobs, ledger.Ref{Job: e.Job, Single: e.Single})
	}
	return all
}

// asked is when Redis was asked last, at the earliest.
func (c *claim) asked() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loaded
}

// confirm notes that what Redis said of the chunk was still true at a time.
func (c *claim) confirm(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.loaded) {
		c.loaded = at
	}
}

func (c *claim) generation() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gen
}
