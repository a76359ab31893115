package worker

import (
	"context"
	"errors"
	"slices"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// Reload uses a new configuration's credentials and rates. Tasks in work end
// with the old ones. What a configuration error had stopped goes on at once
// where the credentials changed.
func (w *Worker) Reload(ctx context.Context, c *config.Config) error {
	old := *w.accounts.Load()
	w.use(c)
	w.tellNewLanes(c)
	var errs []error
	for k, a := range *w.accounts.Load() {
		if was := old[k]; was == nil || was.Fingerprint != a.Fingerprint {
			errs = append(errs, w.resume(ctx, a))
		}
	}
	return errors.Join(errs...)
}

// resume ends the account's stop, and brings back the tasks that wait for its end.
func (w *Worker) resume(ctx context.Context, a *dispatch.Account) error {
	stopped, err := w.limiter.Resume(ctx, key(a), "")
	if err != nil || !stopped {
		return err
	}
	w.log.Info().Str("app", a.App).Str("vendor", a.Spec.Name).Msg("new credentials: sending again")
	var errs []error
	for _, p := range push.Priorities() {
		errs = append(errs, (&ledger.Store{Redis: w.rdb}).HastenApp(ctx, wire.Lane(a.Spec.Name, string(p)), a.App))
	}
	return errors.Join(errs...)
}

// tellNewLanes names the vendors that only a restart begins to serve: lanes are
// started with the worker.
func (w *Worker) tellNewLanes(c *config.Config) {
	for _, vendor := range c.Served() {
		if !slices.Contains(w.served, vendor) {
			w.log.Warn().Str("vendor", vendor).Msg("new in the configuration: its lanes start when the worker is restarted")
		}
	}
}
