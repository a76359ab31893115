package dispatch

import (
	"context"
	"slices"
	"time"

	"github.com/postrider/postrider/internal/ledger"
)

// staleAfter is how old what a chunk's jobs said at its load may be when a
// request begins. A request takes the ledgers' word that they are not canceled,
// and nothing new is to be sent a second after somebody canceled them.
const staleAfter = 500 * time.Millisecond

// withhold asks the ledgers again, where the shipment waited long since its
// load, and puts it back if a job of it was canceled; its next run ends what is
// canceled. False means that it may be sent now.
func (d *Dispatcher) withhold(ctx context.Context, s shipment) bool {
	spans, stale := s.spans(), d.Now().Add(-staleAfter)
	if !slices.ContainsFunc(spans, func(p span) bool { return p.c.loaded.Before(stale) }) {
		return false
	}
	jobs := make([]ledger.Ref, len(spans))
	for i, p := range spans {
		e := &p.c.open.Chunk.Entries[p.entry]
		jobs[i] = ledger.Ref{Job: e.Job, Single: e.Single}
	}
	canceled, err := d.Book.Canceled(ctx, jobs)
	if err != nil {
		d.takeBack(ctx, s, d.Now().Add(time.Second), err.Error())
		return true
	}
	if !slices.Contains(canceled, true) {
		return false
	}
	d.takeBack(ctx, s, d.Now(), "a job of this request was canceled")
	return true
}
