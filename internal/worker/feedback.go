package worker

import (
	"context"
	"slices"
	"sync"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// background is what one of all workers does beside sending.
type background struct {
	ctx    context.Context //nolint:containedctx // it is the goroutines' life
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// startFeedback starts the webhook and the pulling of lists, each of which one
// worker of all does, and has the metrics ask how many entries wait.
func (w *Worker) startFeedback() {
	w.background.ctx, w.background.cancel = context.WithCancel(context.Background())
	w.background.wg.Go(func() { w.clock.Run(w.background.ctx) })
	hook := &feed.Webhook{
		Redis: w.rdb, Client: w.client, Meter: w.metrics, Log: w.log, Now: w.clock.Now,
		Target: func() (string, string) {
			t := w.webhook.Load()
			return t.URL.Reveal(), t.Secret.Reveal()
		},
	}
	puller := &feed.Puller{
		Redis: w.rdb, Access: w.access, Feed: w.book, Meter: w.metrics, Log: w.log, Now: w.clock.Now,
		Accounts: func() []feed.ListAccount { return *w.lists.Load() }, Stopping: w.background.ctx.Done(),
	}
	w.alone(wire.WebhookLeaseKey, hook.Wanted, hook.Run)
	w.alone(wire.PullLeaseKey, puller.Wanted, puller.Run)
	for name, s := range map[string]struct{ stream, help string }{
		"postrider_invalid_feed_entries": {wire.InvalidStream, "Entries of the feed of invalid tokens that nobody has deleted."},
		"postrider_invalid_held_entries": {wire.QuarantineStream, "Invalid tokens that are held until somebody confirms them."},
	} {
		w.metrics.Length(name, s.help, func(ctx context.Context) (int64, error) { return w.rdb.XLen(ctx, s.stream).Result() })
	}
}

// alone does something while this worker is the one that does it.
func (w *Worker) alone(key string, wanted func() bool, do func(context.Context)) {
	l := &coord.Leadership{Redis: w.rdb, Key: key}
	w.background.wg.Go(func() { l.Run(w.background.ctx, wanted, do) })
}

// listAccounts are the accounts of vendors that this worker serves, and that
// keep a list of dead tokens.
func listAccounts(c *config.Config, all accounts) []feed.ListAccount {
	var out []feed.ListAccount
	for k, a := range all {
		p, ok := a.Vendor.(vendors.Puller)
		if !ok || !p.Pulls() || !slices.Contains(c.Served(), k.vendor) {
			continue
		}
		g, _ := a.Vendor.(vendors.Granter)
		out = append(out, feed.ListAccount{
			App: k.app, Vendor: k.vendor, Puller: p, Granter: g, Fingerprint: a.Fingerprint, Codes: a.Codes, Timeout: a.Timeout,
		})
	}
	return out
}
