package worker

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/status"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// accounts are every app's settings at every vendor, opened.
type accounts map[accountKey]*dispatch.Account

type accountKey struct{ app, vendor string }

// use opens the accounts of a configuration and puts them in force.
func (w *Worker) use(c *config.Config) {
	all, users := accounts{}, map[string]int{}
	for _, a := range c.Apps {
		for vendor := range a.Vendors {
			users[vendor]++
		}
	}
	for app, a := range c.Apps {
		for _, spec := range registry.All() {
			s, ok := a.Vendors[spec.Name]
			if !ok {
				continue
			}
			all[accountKey{app, spec.Name}] = &dispatch.Account{
				App: app, Spec: spec, Vendor: s.Settings.Open(w.client), Codes: c.Tables[spec.Name],
				Batch: s.Batch, Timeout: s.Timeout, Rate: s.RateOf(spec), Fingerprint: fingerprint(s.Settings),
				Shared: users[spec.Name] > 1,
			}
			takeReceipts(all[accountKey{app, spec.Name}], s.Receipts)
			w.metrics.Prepare(app, spec.Name)
		}
	}
	w.accounts.Store(&all)
	w.receipts.Store(new(receiptAccounts(c)))
	w.lists.Store(new(listAccounts(c, all)))
	w.webhook.Store(&c.Feedback.Webhook)
	w.intake.Store(w.producer(c))
}

func (w *Worker) account(app, vendor string) (*dispatch.Account, bool) {
	a, ok := (*w.accounts.Load())[accountKey{app, vendor}]
	return a, ok
}

// known lists the accounts in force for who shows how they stand.
func (w *Worker) known() []status.Account {
	var all []status.Account
	for k, a := range *w.accounts.Load() {
		all = append(all, status.Account{App: k.app, Vendor: k.vendor, Rate: a.Rate, Unit: string(a.Spec.Unit)})
	}
	return all
}

// fingerprint is a hash of all settings, secrets included.
func fingerprint(s vendors.Settings) string {
	h := sha256.New()
	v := reflect.Indirect(reflect.ValueOf(s))
	for _, f := range v.Fields() {
		switch v := f.Interface().(type) {
		case vendors.Secret: // prints as a placeholder
			fmt.Fprintf(h, "%q\n", v.Reveal())
		case string:
			fmt.Fprintf(h, "%q\n", v)
		default:
			fmt.Fprintf(h, "%v\n", v)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
