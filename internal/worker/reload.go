package worker

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/queue"
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
func (w *Worker) resume(ctx context.Context, a *account.Account) error {
	stopped, err := w.limiter.Resume(ctx, key(a), "")
	if err != nil || !stopped {
		return err
	}
	w.log.Info().Str("app", a.App).Str("vendor", a.Spec.Name).Msg("new credentials: sending again")
	return w.hasten(ctx, a.App, a.Spec.Name)
}

// hasten has the account's tasks that were put back come up now.
func (w *Worker) hasten(ctx context.Context, app, vendor string) error {
	var errs []error
	for _, p := range push.Priorities() {
		errs = append(errs, queue.Hasten{Redis: w.book.Redis, Now: w.book.Now}.App(ctx, wire.Lane(vendor, string(p)), app))
	}
	return errors.Join(errs...)
}

// idleEvery is how often unused permits are looked for.
const idleEvery = 2 * time.Second

// hastenIdle has tasks come up now that were put back for a time at the rate limit
// which is too late: what was to be sent before them was canceled, say, or the rate
// is higher by now.
func (w *Worker) hastenIdle() {
	again := time.NewTicker(idleEvery)
	defer again.Stop()
	for {
		select {
		case <-w.background.ctx.Done():
			return
		case <-again.C:
		}
		idle, err := w.limiter.Idle(w.background.ctx)
		for _, k := range idle {
			err = errors.Join(err, w.hasten(w.background.ctx, k.App, k.Vendor))
		}
		if err != nil && w.background.ctx.Err() == nil {
			w.log.Warn().Err(err).Msg("tasks that wait for a rate limit may keep their times, although permits go unused")
		}
	}
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
