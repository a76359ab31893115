package worker

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/dispatch"
	"github.com/postrider/postrider/internal/limit"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
)

// configPause is how long an (app, vendor) rests after a configuration error
// before it is tried again.
const configPause = time.Minute

// gate is the dispatcher's gate on the limiter that all workers share.
type gate struct {
	limiter *limit.Limiter
	log     zerolog.Logger
}

func newLimiter(rdb redis.UniversalClient) *limit.Limiter { return &limit.Limiter{Redis: rdb} }

func key(a *dispatch.Account) limit.Key { return limit.Key{App: a.App, Vendor: a.Spec.Name} }

// Admit asks for the pause, then for permits.
func (g gate) Admit(ctx context.Context, a *dispatch.Account, p push.Priority, units int) (time.Duration, string, error) {
	if until, why, paused := g.limiter.Paused(ctx, key(a), ""); paused {
		return max(time.Until(until), time.Millisecond), why, nil
	}
	if a.Rate == 0 {
		return 0, "", nil
	}
	wait, err := g.limiter.Take(ctx, key(a), limit.Limit{Rate: a.Rate, Burst: a.Units(a.Batch)}, units, p == push.High)
	return wait, "waiting for the rate limit", err
}

// Answered pauses the (app, vendor) when the vendor says that it is too fast,
// or that its settings are wrong.
func (g gate) Answered(ctx context.Context, a *dispatch.Account, row classify.Row, retryAfter time.Duration) {
	switch {
	case row.Class == classify.Success:
		g.limiter.Succeeded(key(a))
	case row.Remedy == classify.SlowDown && row.Scope == classify.ScopeApp:
		until, err := g.limiter.SlowDown(context.WithoutCancel(ctx), key(a), retryAfter, row.Key()+": "+row.Meaning)
		g.tell(a, row, until, err)
	case row.Remedy == classify.Config && row.Scope == classify.ScopeApp:
		until := time.Now().Add(configPause)
		g.tell(a, row, until, g.limiter.Pause(context.WithoutCancel(ctx), key(a), "", until, row.Key()+": "+row.Meaning))
	}
}

func (g gate) tell(a *dispatch.Account, row classify.Row, until time.Time, err error) {
	e := g.log.Warn()
	if row.Remedy == classify.Config {
		e = g.log.Error()
	}
	e.Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Str("code", row.Key()).Time("until", until).
		Msg("paused: " + row.Meaning)
}
