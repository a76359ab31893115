package worker

import (
	"context"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/receipt"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// takeReceipts has an account's messages noted and, where the vendor is told
// the address with every request, asks for receipts.
func takeReceipts(a *dispatch.Account, r config.Receipts) {
	if r.Secret.Empty() || a.Spec.Receipts == nil {
		return
	}
	a.Receipts = true
	if a.Spec.Receipts.LongestURL > 0 {
		a.ReceiptURL = r.Address(a.App, a.Spec.Name)
	}
}

// receiptAccounts are every app's settings at every vendor, as far as receipts
// concern them.
func receiptAccounts(c *config.Config) map[accountKey]*receipt.Account {
	all := map[accountKey]*receipt.Account{}
	for app, a := range c.Apps {
		for _, spec := range registry.All() {
			s, ok := a.Vendors[spec.Name]
			if !ok {
				continue
			}
			all[accountKey{app, spec.Name}] = &receipt.Account{
				App: app, Spec: spec, Codes: c.Tables[spec.Name], Settings: s.Settings,
				User: s.Receipts.User, Key: s.Receipts.HMACKey(), Secret: s.Receipts.Secret,
			}
		}
	}
	return all
}

func (w *Worker) receiptConfig() receipt.Config {
	return receipt.Config{
		Store: &receipt.Store{Redis: w.rdb}, Meter: w.metrics, Log: w.log, Now: w.clock.Now,
		Find: func(app, vendor string) (*receipt.Account, bool) {
			a, ok := (*w.receipts.Load())[accountKey{app, vendor}]
			return a, ok
		},
	}
}

// applyReceipts starts the goroutine that applies receipts; stopReceipts ends
// it and waits for it.
func (w *Worker) applyReceipts() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	consumer := &receipt.Consumer{Config: w.receiptConfig(), Ledger: w.book}
	go func() {
		defer close(done)
		consumer.Run(ctx)
	}()
	w.stopReceipts = func() {
		cancel()
		<-done
	}
}
