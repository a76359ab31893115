package feed

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

const (
	// listStoreFor bounds the attempts to store a page while Redis cannot be reached:
	// the vendor no longer has it. listStoreAtEnd is the same after the worker got the
	// signal to stop.
	listStoreFor   = 5 * time.Minute
	listStoreAtEnd = 5 * time.Second
)

// store hands a page to the feed, and tries until it is there.
func (p *Puller) store(ctx context.Context, a *account.Account, got vendors.ListPage, since time.Time) error {
	found := p.found(a, got, since)
	if len(found.Invalid) == 0 {
		p.Log.Warn().Str("app", a.App).Str("vendor", a.Spec.Name).Int("tokens", len(got.Tokens)).
			Msg("tokens of the vendor's list are ignored: the configuration gives their code no action")
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listStoreFor)
	defer cancel()
	go func() { // ends with ctx
		select {
		case <-p.Stopping:
			coord.Sleep(ctx, listStoreAtEnd)
			cancel()
		case <-ctx.Done():
		}
	}()
	b := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(50*time.Millisecond), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	for logged := false; ; logged = true {
		n, standing, err := p.Feed.Feed(ctx, found)
		p.Meter.Invalid(a.App, a.Spec.Name, n, standing != ledger.Fed)
		if err == nil {
			return nil
		}
		if !logged {
			p.Log.Error().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("store pulled tokens: waiting for redis")
		}
		coord.Sleep(ctx, b.NextBackOff())
		if ctx.Err() != nil {
			p.Meter.Lost(a.App, a.Spec.Name, len(got.Tokens))
			return fmt.Errorf("store pulled tokens: lost %d tokens that the vendor's list no longer has: %w", len(got.Tokens), err)
		}
	}
}

func (p *Puller) found(a *account.Account, got vendors.ListPage, since time.Time) ledger.Found {
	row, _ := a.Codes.Lookup(got.Code.Level, got.Code.Code)
	f := ledger.Found{App: a.App, Vendor: a.Spec.Name}
	if row.Action == classify.NoAction {
		return f
	}
	f.Invalid = make([]ledger.InvalidToken, len(got.Tokens))
	for i, t := range got.Tokens {
		f.Invalid[i] = ledger.InvalidToken{
			App: a.App, Vendor: a.Spec.Name, Token: t, Code: row.Key(), Reason: cmp.Or(got.Code.Text, row.Meaning),
			Action: string(row.Action), At: since,
		}
	}
	return f
}

// listPlanFor is how long a plan is stored after the last pull.
const listPlanFor = 30 * 24 * time.Hour

func (p *Puller) schedule(ctx context.Context, a *account.Account) (wire.PullPlan, error) {
	v, err := p.Redis.HGetAll(ctx, wire.PullKey(a.App, a.Spec.Name)).Result()
	if err != nil {
		return wire.PullPlan{}, fmt.Errorf("read when a list is due: %w", err)
	}
	return wire.DecodePullPlan(v), nil
}

// plan stores when the list is due next, even if ctx has ended.
func (p *Puller) plan(ctx context.Context, a *account.Account, s wire.PullPlan) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	key := wire.PullKey(a.App, a.Spec.Name)
	pipe := p.Redis.TxPipeline()
	pipe.HSet(ctx, key, s.Words()...)
	pipe.Expire(ctx, key, listPlanFor)
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("store when a list is due: %w", err)
	}
	return nil
}
