package dispatch

import (
	"context"
	"time"

	"github.com/postrider/postrider/pkg/vendors"
)

// receiptsFor is how long receipts may come after a message has expired.
const receiptsFor = 7 * 24 * time.Hour

// trace notes, before the request is made, whose tokens are in it: a receipt may
// come before the answer. If that fails, the message is sent nevertheless, and its
// receipts will belong to no job.
func (d *Dispatcher) trace(ctx context.Context, r *request, calls []*vendors.Request) {
	if d.Tracer == nil || !r.TakesReceipts() {
		return
	}
	all := make([]Sent, len(r.batches))
	for i, b := range r.batches {
		all[i] = Sent{App: b.App, Vendor: b.Vendor, Tag: calls[i].Key, For: calls[i].TTL + receiptsFor}
		if !b.Shared {
			all[i].Job, _ = b.Job()
			continue
		}
		all[i].Tokens = make(map[string]string, b.Count)
		for _, s := range b.Segments {
			for _, t := range s.Tokens {
				all[i].Tokens[t] = s.Entry.Job
			}
		}
	}
	if err := d.Tracer.Note(ctx, all); err != nil {
		d.Log.Warn().Err(err).Str("app", r.App).Str("vendor", r.Spec.Name).Msg("receipts of a request will belong to no job")
	}
}
