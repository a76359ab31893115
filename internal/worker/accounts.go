package worker

import (
	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// use makes a configuration's accounts the ones in force.
func (w *Worker) use(c *config.Config) {
	all := account.Open(c, registry.All(), w.client)
	for k := range all {
		w.metrics.Prepare(k.App, k.Vendor)
	}
	w.accounts.Store(&all)
	w.webhook.Store(&c.Feedback.Webhook)
	w.intake.Store(w.producer(c))
}

// account returns an app's account at a vendor that is in force now.
func (w *Worker) account(app, vendor string) (*account.Account, bool) {
	return w.accounts.Load().Of(app, vendor)
}

// known returns all accounts in force.
func (w *Worker) known() []*account.Account { return w.accounts.Load().All() }
