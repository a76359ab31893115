package receipt

import (
	"cmp"
	"context"
	"time"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// item is a receipt to be applied.
type item struct {
	vendors.Receipt
	app, vendor string
	received    time.Time
}

// counted maps events to what ledgers count. Other events, such as a message that
// is still on its way, are not counted.
var counted = map[vendors.Event]wire.Receipt{
	vendors.Arrived: wire.Arrived, vendors.Clicked: wire.Clicked, vendors.Failed: wire.Failed,
}

// apply applies receipts to the ledgers and the feed. It is idempotent.
func (c *Consumer) apply(ctx context.Context, entries []entry) error {
	var all []item
	for _, e := range entries {
		for _, r := range e.receipts {
			all = append(all, item{r, e.app, e.vendor, e.at})
		}
	}
	if len(all) == 0 {
		return nil
	}
	jobs, err := c.Store.jobs(ctx, all)
	if err != nil {
		return err
	}
	byJob := map[string][]ledger.Receipt{}
	for i, it := range all {
		if what, ok := counted[it.Event]; ok && jobs[i] != "" {
			byJob[jobs[i]] = append(byJob[jobs[i]], ledger.Receipt{Token: it.Token, Event: what})
		}
	}
	if len(byJob) > 0 {
		if err := c.Ledger.CountReceipts(ctx, byJob); err != nil {
			return err
		}
	}
	if err := c.feed(ctx, all, c.invalid(all, jobs)); err != nil {
		return err
	}
	c.count(all, jobs)
	return nil
}

// guardSource makes the guard count receipts separately: answers to requests are
// mostly good, and would hide that nearly all receipts are bad.
const guardSource = "receipts"

// feed adds invalid tokens to the feed, with the number of all tokens that receipts were about.
func (c *Consumer) feed(ctx context.Context, all []item, invalid []ledger.InvalidToken) error {
	type account struct{ app, vendor string }
	var found []*ledger.Found // in the order of the receipts
	index := map[account]int{}
	of := func(app, vendor string) *ledger.Found {
		k := account{app, vendor}
		i, ok := index[k]
		if !ok {
			i = len(found)
			index[k] = i
			found = append(found, &ledger.Found{App: app, Vendor: vendor, Source: guardSource})
		}
		return found[i]
	}
	for _, it := range all {
		if it.Event == vendors.Arrived {
			of(it.app, it.vendor).Answered++
		}
	}
	for _, t := range invalid {
		f := of(t.App, t.Vendor)
		f.Answered++
		f.Invalid = append(f.Invalid, t)
	}
	for _, f := range found {
		n, standing, err := c.Ledger.Feed(ctx, *f)
		if err != nil {
			return err
		}
		c.Meter.Invalid(f.App, f.Vendor, n, standing != ledger.Fed)
		if standing == ledger.Alarm {
			c.Log.Error().Str("app", f.App).Str("vendor", f.Vendor).Msg(ledger.AlarmText)
		}
	}
	return nil
}

// invalid returns the tokens that receipts report as invalid, switched off or
// replaced. A receipt without a job counts too, since it was authenticated, unless
// the vendor names another app: then the token belongs to that app.
func (c *Consumer) invalid(all []item, jobs []string) []ledger.InvalidToken {
	var out []ledger.InvalidToken
	for i, it := range all {
		a, ok := c.Find(it.app, it.vendor)
		if !ok || it.Foreign && jobs[i] == "" {
			continue
		}
		row, known := a.Codes.Lookup(it.Code.Level, it.Code.Code)
		if !known {
			c.Log.Warn().Str("app", it.app).Str("vendor", it.vendor).Str("code", it.Code.String()).
				Msg("a receipt has an unknown code: its token is not reported as invalid")
		}
		if row.Action == classify.NoAction || row.Action == classify.Replace && it.Replacement == "" {
			continue
		}
		out = append(out, ledger.InvalidToken{
			App: it.app, Vendor: it.vendor, Token: it.Token, Code: row.Key(), Reason: cmp.Or(it.Code.Text, row.Meaning),
			Job: jobs[i], Action: string(row.Action), Replacement: it.Replacement, At: receiptTime(it),
		})
	}
	return out
}

// receiptTime is the vendor's time of a receipt, which an application compares with
// the time at which a phone registered. If that is missing or in the future, it is
// the time at which the receipt was received.
func receiptTime(it item) time.Time {
	if it.At.IsZero() || it.At.After(it.received) {
		return it.received
	}
	return it.At
}

func (c *Consumer) count(all []item, jobs []string) {
	type series struct{ app, vendor, event string }
	sums := map[series]int{}
	for i, it := range all {
		event := string(it.Event)
		if jobs[i] == "" {
			event = Unknown
		}
		sums[series{it.app, it.vendor, event}]++
	}
	for s, n := range sums {
		c.Meter.Receipt(s.app, s.vendor, s.event, n)
	}
}
