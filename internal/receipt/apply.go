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

// item is one receipt on its way to a ledger.
type item struct {
	vendors.Receipt
	app, vendor string
	came        time.Time
}

// counted is what a receipt counts as in a ledger; a message that is still on its way
// counts as nothing.
var counted = map[vendors.Event]wire.Receipt{
	vendors.Arrived: wire.Arrived, vendors.Clicked: wire.Clicked, vendors.Failed: wire.Failed,
}

// apply applies receipts to the ledgers and the feed. Applying them twice changes
// nothing more.
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

// guardSource has the guard judge receipts by themselves: the answers to the requests
// were good, and would hide that nearly all receipts are bad.
const guardSource = "receipts"

// feed adds invalid tokens to the feed, with how many tokens were reported.
func (c *Consumer) feed(ctx context.Context, all []item, invalid []ledger.InvalidToken) error {
	type account struct{ app, vendor string }
	var found []*ledger.Found // in the order in which they came
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

// invalid returns the receipts that say that a token is invalid, switched off or
// replaced. A receipt without a job counts as well, since it was authenticated, but not
// if the vendor names another app: then the token is that app's.
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
				Msg("a receipt has a code that is in no table")
		}
		if row.Action == classify.NoAction || row.Action == classify.Replace && it.Replacement == "" {
			continue
		}
		out = append(out, ledger.InvalidToken{
			App: it.app, Vendor: it.vendor, Token: it.Token, Code: row.Key(), Reason: cmp.Or(it.Code.Text, row.Meaning),
			Job: jobs[i], Action: string(row.Action), Replacement: it.Replacement, At: when(it),
		})
	}
	return out
}

// when is the vendor's time of a receipt, which an application compares with the time at
// which a phone registered, or the time of its arrival.
func when(it item) time.Time {
	if it.At.IsZero() || it.At.After(it.came) {
		return it.came
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
