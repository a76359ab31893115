package dispatch

import (
	"context"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/pkg/vendors"
)

// Sent says whose message is sent under a tag, which is the request's key.
type Sent struct {
	App, Vendor, Tag string
	// For is how long receipts may still come.
	For time.Duration
	// Job is set when all tokens under the tag are one job's: then Tokens is nil.
	Job string
	// Tokens are the tokens' jobs.
	Tokens map[string]string
}

// receiptsFor is how long receipts may come after a message has expired.
const receiptsFor = 7 * 24 * time.Hour

// trace notes, before the request is made, whose tokens are in it: a receipt
// may be here before the answer is. If it cannot be noted the message is sent
// all the same; its receipts will then belong to no job.
func (d *Dispatcher) trace(ctx context.Context, a *account.Account, s shipment, reqs []*vendors.Request) {
	if d.Tracer == nil || !a.TakesReceipts() {
		return
	}
	all := make([]Sent, len(s))
	for i, p := range s {
		all[i] = Sent{App: p.app, Vendor: p.vendor, Tag: reqs[i].Key, For: reqs[i].TTL + receiptsFor}
		if !p.shared {
			all[i].Job, _ = p.job()
			continue
		}
		all[i].Tokens = make(map[string]string, p.n)
		for _, sp := range p.spans {
			for _, t := range sp.tokens {
				all[i].Tokens[t] = sp.c.open.Chunk.Entries[sp.entry].Job
			}
		}
	}
	if err := d.Tracer.Note(ctx, all); err != nil {
		d.Log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("receipts of a request will belong to no job")
	}
}
