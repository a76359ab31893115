package account

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/vendors"
)

// Key names an account.
type Key struct{ App, Vendor string }

// Snapshot is every account of one configuration.
type Snapshot map[Key]*Account

// Open builds the accounts of a configuration. Their adapters use client; with
// nil there are no adapters, as in a producer, which sends nothing to vendors.
func Open(c *config.Config, specs []vendors.Spec, client *http.Client) Snapshot {
	all, apps := Snapshot{}, map[string]int{}
	for _, a := range c.Apps {
		for vendor := range a.Vendors {
			apps[vendor]++
		}
	}
	for app, blocks := range c.Apps {
		for _, spec := range specs {
			b, ok := blocks.Vendors[spec.Name]
			if !ok {
				continue
			}
			a := &Account{
				App: app, Spec: spec, Settings: b.Settings, Codes: c.Tables[spec.Name], Batch: b.Batch, Timeout: b.Timeout,
				Rate: b.RateOf(spec), Shared: apps[spec.Name] > 1, Fingerprint: fingerprint(b.Settings), Receipts: b.Receipts,
			}
			if client != nil {
				a.Vendor = b.Settings.Open(client)
			}
			if a.TakesReceipts() && spec.Receipts.LongestURL > 0 {
				a.ReceiptURL = b.Receipts.Address(app, spec.Name)
			}
			all[Key{app, spec.Name}] = a
		}
	}
	return all
}

// Of returns an app's account at a vendor.
func (s Snapshot) Of(app, vendor string) (*Account, bool) {
	a, ok := s[Key{app, vendor}]
	return a, ok
}

// All returns the accounts by app and vendor.
func (s Snapshot) All() []*Account {
	all := make([]*Account, 0, len(s))
	for _, a := range s {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *Account) int {
		return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Spec.Name, b.Spec.Name))
	})
	return all
}

// fingerprint is a hash of all settings, secrets included.
func fingerprint(s vendors.Settings) string {
	h := sha256.New()
	v := reflect.Indirect(reflect.ValueOf(s))
	for _, f := range v.Fields() {
		switch v := f.Interface().(type) {
		case vendors.Secret: // would print as a placeholder
			fmt.Fprintf(h, "%q\n", v.Reveal())
		case string:
			fmt.Fprintf(h, "%q\n", v)
		default:
			fmt.Fprintf(h, "%v\n", v)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
