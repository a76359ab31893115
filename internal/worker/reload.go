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

// Reload applies a new configuration's credentials and rates. Running tasks end
// with the old ones. Accounts with new credentials that a configuration error had
// stopped send again at once.
func (w *Worker) Reload(ctx context.Context, c *config.Config) error {
	old := *w.accounts.Load()
	w.use(c)
	w.warnOfNewLanes(c)
	var errs []error
	for k, a := range *w.accounts.Load() {
		if was := old[k]; was == nil || was.Fingerprint != a.Fingerprint {
			errs = append(errs, w.resume(ctx, a))
		}
	}
	return errors.Join(errs...)
}

// resume ends the account's stop, and makes the tasks that wait for its end due.
func (w *Worker) resume(ctx context.Context, a *account.Account) error {
	stopped, err := w.limiter.Resume(ctx, key(a), "")
	if err != nil || !stopped {
		return err
	}
	w.log.Info().Str("app", a.App).Str("vendor", a.Spec.Name).Msg("new credentials: sending again")
	return w.hasten(ctx, a.App, a.Spec.Name)
}

// hasten makes the account's requeued tasks due now.
func (w *Worker) hasten(ctx context.Context, app, vendor string) error {
	var errs []error
	for _, p := range push.Priorities() {
		errs = append(errs, queue.Hasten{Redis: w.book.Redis, Now: w.book.Now}.App(ctx, wire.Lane(vendor, string(p)), app))
	}
	return errors.Join(errs...)
}

// idleEvery is the time between two searches for unused permits.
const idleEvery = 2 * time.Second

// hastenIdle makes tasks due now if the rate limit gave them a time that has become
// too late: for example, tasks before them were canceled, or the rate was raised.
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
			w.log.Warn().Err(err).Msg("look for unused permits: tasks may wait longer for the rate limit than necessary")
		}
	}
}

// warnOfNewLanes logs the vendors that are served only after a restart, since
// lanes start with the worker.
func (w *Worker) warnOfNewLanes(c *config.Config) {
	for _, vendor := range c.Served() {
		if !slices.Contains(w.served, vendor) {
			w.log.Warn().Str("vendor", vendor).Msg("the configuration has a new vendor: restart the worker to start its lanes")
		}
	}
}
