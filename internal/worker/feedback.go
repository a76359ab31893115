package worker

import (
	"context"
	"slices"
	"sync"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/pkg/push/wire"
)

// background are the goroutines that run in addition to the lanes.
type background struct {
	ctx    context.Context // ends when the goroutines must end
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// startFeedback starts the webhook and the pulling of the vendors' lists, each of
// which the leading worker does, and registers the metrics of the streams.
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
		Accounts: w.listAccounts, Stopping: w.background.ctx.Done(),
	}
	w.runAsLeader(wire.WebhookLeaderKey, hook.Wanted, hook.Run)
	w.runAsLeader(wire.PullLeaderKey, puller.Wanted, puller.Run)
	for name, s := range map[string]struct{ stream, help string }{
		"postrider_invalid_feed_entries": {wire.InvalidStream, "Entries of the feed of invalid tokens that applications have not deleted."},
		"postrider_invalid_held_entries": {wire.QuarantineStream, "Quarantined invalid tokens, until an operator confirms or discards them."},
	} {
		w.metrics.Length(name, s.help, func(ctx context.Context) (int64, error) { return w.rdb.XLen(ctx, s.stream).Result() })
	}
}

// runAsLeader calls do while this worker has the leadership of key.
func (w *Worker) runAsLeader(key string, wanted func() bool, do func(context.Context)) {
	l := &coord.Leadership{Redis: w.rdb, Key: key}
	w.background.wg.Go(func() { l.Run(w.background.ctx, wanted, do) })
}

// listAccounts returns the accounts at the vendors that this worker serves.
func (w *Worker) listAccounts() []*account.Account {
	return slices.DeleteFunc(w.known(), func(a *account.Account) bool { return !slices.Contains(w.served, a.Spec.Name) })
}
