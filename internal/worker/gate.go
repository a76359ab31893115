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
	"github.com/postrider/postrider/pkg/vendors"
)

// probeSlack is how much longer than two request timeouts (a grant's and the
// request's own) the answer to a probe is waited for.
const probeSlack = 5 * time.Second

// gate is the dispatcher's gate on the limiter that all workers share.
type gate struct {
	limiter *limit.Limiter
	meter   gateMeter
	log     zerolog.Logger
	now     func() time.Time
}

// gateMeter counts the stops that this worker brought about.
type gateMeter interface {
	Stopped(app, vendor, kind string)
}

func newLimiter(rdb redis.UniversalClient) *limit.Limiter { return &limit.Limiter{Redis: rdb} }

func key(a *dispatch.Account) limit.Key { return limit.Key{App: a.App, Vendor: a.Spec.Name} }

// Admit asks for pauses and stops, then for permits.
func (g gate) Admit(ctx context.Context, a *dispatch.Account, l dispatch.Load) (dispatch.Ticket, error) {
	pass := g.limiter.Pass(ctx, key(a), l.Buckets, 2*a.Timeout+probeSlack)
	t := dispatch.Ticket{Buckets: l.Buckets, Probe: pass.Probe}
	if !pass.Until.IsZero() {
		t.Wait, t.Why, t.Paused = max(pass.Until.Sub(g.now()), time.Millisecond), pass.Why, !pass.Unknown
		return t, nil
	}
	if a.Rate == 0 {
		return t, nil
	}
	wait, err := g.limiter.Take(ctx, key(a), limit.Limit{Rate: a.Rate, Burst: a.Units(a.Batch)}, l.Units, l.Priority == push.High)
	if t.Wait, t.Why = wait, "waiting for the rate limit"; t.Probe != "" && (wait > 0 || err != nil) {
		g.Done(ctx, a, t)
		t.Probe = ""
	}
	return t, err
}

// Done gives a probe back that no answer has used up.
func (g gate) Done(ctx context.Context, a *dispatch.Account, t dispatch.Ticket) {
	if err := g.limiter.Release(ctx, key(a), t.Probe); err != nil {
		g.log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("the next probe has to wait")
	}
}

// Answered stops the (app, vendor) when the vendor says that it is too fast or
// that its settings are wrong, or is not there, and pauses a bucket whose quota
// is used up. Whatever else it says it is well.
func (g gate) Answered(ctx context.Context, a *dispatch.Account, t dispatch.Ticket, row classify.Row, retryAfter time.Duration) {
	ctx = context.WithoutCancel(ctx)
	why := row.Key() + ": " + row.Meaning
	switch {
	case row.Remedy == classify.SlowDown && row.Scope == classify.ScopeApp:
		g.stop(ctx, a, row, limit.Halt{Kind: limit.TooFast, RetryAfter: retryAfter, Reason: why, Probe: t.Probe})
	case row.Remedy == classify.Config && row.Scope == classify.ScopeApp:
		g.stop(ctx, a, row, limit.Halt{Kind: limit.Misconfigured, RetryAfter: retryAfter, Reason: why, Probe: t.Probe})
	case unreachable(row):
		g.stop(ctx, a, row, limit.Halt{Kind: limit.Unreachable, RetryAfter: retryAfter, Reason: why, Probe: t.Probe})
	case row.Remedy == classify.WaitQuota && (row.Bucket != "" || row.Scope == classify.ScopeApp):
		g.pause(ctx, a, t.Buckets, row, why)
		g.well(ctx, a, t)
	default:
		if row.Class == classify.Success {
			g.limiter.Succeeded(key(a))
		}
		g.well(ctx, a, t)
	}
}

// unreachable tells whether the vendor was not there. A server's error is an
// answer: it comes at once, and may be about the message.
func unreachable(row classify.Row) bool {
	return row.Remedy == classify.Backoff && row.Level == classify.Transport &&
		(row.Code == classify.Dial || row.Code == classify.Timeout || row.Code == classify.Broken)
}

func (g gate) stop(ctx context.Context, a *dispatch.Account, row classify.Row, h limit.Halt) {
	until, news, err := g.limiter.Stop(ctx, key(a), h)
	if err == nil && !news {
		return
	}
	g.meter.Stopped(a.App, a.Spec.Name, string(h.Kind))
	e := g.log.Warn()
	if h.Kind == limit.Misconfigured {
		e = g.log.Error()
	}
	e.Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Str("code", row.Key()).Str("kind", string(h.Kind)).Time("until", until).
		Msg("stopped, and probed with one request at a time: " + row.Meaning)
}

// pause parks the buckets that the row concerns until their window.
func (g gate) pause(ctx context.Context, a *dispatch.Account, buckets []string, row classify.Row, why string) {
	until := row.Window.Next(g.now())
	for _, bucket := range vendors.OfBucket(buckets, row.Bucket) {
		news, err := g.limiter.Pause(ctx, key(a), bucket, until, why)
		if err == nil && !news {
			continue
		}
		g.log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Str("code", row.Key()).Str("bucket", bucket).Time("until", until).
			Msg("paused: " + row.Meaning)
	}
}

func (g gate) well(ctx context.Context, a *dispatch.Account, t dispatch.Ticket) {
	ended, err := g.limiter.Well(ctx, key(a), t.Probe)
	if err != nil || ended {
		g.log.Info().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("a probe was well: sending again")
	}
}
