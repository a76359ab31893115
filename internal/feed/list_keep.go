package feed

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

const (
	// listKeepFor is how long it is tried to store a page while Redis is not reachable: the
	// vendor no longer has it. listKeepAtEnd is the same once the worker stops.
	listKeepFor   = 5 * time.Minute
	listKeepAtEnd = 5 * time.Second
)

// keep adds a page to the feed, and tries until it is stored.
func (p *Puller) keep(ctx context.Context, a ListAccount, got vendors.Pulled, since time.Time) error {
	found := p.found(a, got, since)
	if len(found.Invalid) == 0 {
		p.Log.Warn().Str("app", a.App).Str("vendor", a.Vendor).Int("tokens", len(got.Tokens)).
			Msg("tokens of a vendor's list were left out: according to the configuration their code is not about tokens")
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listKeepFor)
	defer cancel()
	go func() { // ends with ctx
		select {
		case <-p.Stopping:
			coord.Sleep(ctx, listKeepAtEnd)
			cancel()
		case <-ctx.Done():
		}
	}()
	b := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(50*time.Millisecond), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	for logged := false; ; logged = true {
		n, standing, err := p.Feed.Feed(ctx, found)
		p.Meter.Invalid(a.App, a.Vendor, n, standing != ledger.Fed)
		if err == nil {
			return nil
		}
		if !logged {
			p.Log.Error().Err(err).Str("app", a.App).Str("vendor", a.Vendor).Msg("tokens of a vendor's list cannot be stored: waiting for Redis")
		}
		coord.Sleep(ctx, b.NextBackOff())
		if ctx.Err() != nil {
			p.Meter.Lost(a.App, a.Vendor, len(got.Tokens))
			return fmt.Errorf("store %d tokens that the vendor's list no longer has: %w", len(got.Tokens), err)
		}
	}
}

func (p *Puller) found(a ListAccount, got vendors.Pulled, since time.Time) ledger.Found {
	row, _ := a.Codes.Lookup(got.Code.Level, got.Code.Code)
	f := ledger.Found{App: a.App, Vendor: a.Vendor}
	if row.Action == classify.NoAction {
		return f
	}
	f.Invalid = make([]ledger.InvalidToken, len(got.Tokens))
	for i, t := range got.Tokens {
		f.Invalid[i] = ledger.InvalidToken{
			App: a.App, Vendor: a.Vendor, Token: t, Code: row.Key(), Reason: cmp.Or(got.Code.Text, row.Meaning),
			Action: string(row.Action), At: since,
		}
	}
	return f
}

// listPlan is when an account's list was last read to its end, and when it is due.
type listPlan struct {
	done, next time.Time
	failures   int
}

// listPlanFor is how long the plan of an account is kept after its list was last read.
const listPlanFor = 30 * 24 * time.Hour

func (p *Puller) schedule(ctx context.Context, a ListAccount) (listPlan, error) {
	v, err := p.Redis.HGetAll(ctx, wire.PullKey(a.App, a.Vendor)).Result()
	if err != nil {
		return listPlan{}, fmt.Errorf("read when a list is due: %w", err)
	}
	at := func(field string) time.Time {
		ms, err := strconv.ParseInt(v[field], 10, 64)
		if err != nil || ms <= 0 {
			return time.Time{}
		}
		return time.UnixMilli(ms)
	}
	failures, _ := strconv.Atoi(v["failures"])
	return listPlan{done: at("done"), next: at("next"), failures: max(0, failures)}, nil
}

// plan stores when the list is due next, also if ctx has ended.
func (p *Puller) plan(ctx context.Context, a ListAccount, s listPlan) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	key := wire.PullKey(a.App, a.Vendor)
	done := int64(0)
	if !s.done.IsZero() {
		done = s.done.UnixMilli()
	}
	pipe := p.Redis.TxPipeline()
	pipe.HSet(ctx, key, "done", done, "next", s.next.UnixMilli(), "failures", s.failures)
	pipe.Expire(ctx, key, listPlanFor)
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("note when a list is due: %w", err)
	}
	return nil
}
