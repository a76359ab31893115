package worker

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/account"
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

// newLimiter's times are compared with the gate's, so both go by the same clock.
func newLimiter(rdb redis.UniversalClient, now func() time.Time) *limit.Limiter {
	return &limit.Limiter{Redis: rdb, Now: now}
}

func key(a *account.Account) limit.Key { return limit.Key{App: a.App, Vendor: a.Spec.Name} }

// Admit asks for pauses and stops, then for permits.
func (g gate) Admit(ctx context.Context, a *account.Account, l dispatch.Demand) (dispatch.Admission, error) {
	pass := g.limiter.Pass(ctx, key(a), l.Buckets, 2*a.Timeout+probeSlack)
	t := dispatch.Admission{Buckets: l.Buckets, Probe: pass.Probe}
	if !pass.Until.IsZero() {
		t.Wait, t.Why, t.Paused = max(pass.Until.Sub(g.now()), time.Millisecond), pass.Why, !pass.Unknown
		return t, nil
	}
	if a.Rate == 0 {
		return t, nil
	}
	wait, err := g.limiter.Take(ctx, key(a), limitOf(a), l.Units, l.Priority == push.High)
	t.Limited = wait > 0
	if t.Wait, t.Why = wait, "waiting for the rate limit"; t.Probe != "" && (wait > 0 || err != nil) {
		g.Done(ctx, a, t)
		t.Probe = ""
	}
	return t, err
}

func limitOf(a *account.Account) limit.Limit {
	return limit.Limit{Rate: a.Rate, Burst: a.Units(a.Batch)}
}

// Place gives a request a time of its own at the rate limit.
func (g gate) Place(ctx context.Context, a *account.Account, w dispatch.Waiting) (time.Duration, error) {
	class := limit.Normal
	if w.Priority == push.Bulk {
		class = limit.Bulk
	}
	return g.limiter.Place(ctx, key(a), limitOf(a), limit.Waiting{Class: class, Permits: w.Units, Ahead: w.Ahead, Late: w.Late})
}

// Done gives probes back that no answer has used up.
func (g gate) Done(ctx context.Context, a *account.Account, t dispatch.Admission) {
	var errs []error
	if t.Probe != "" {
		errs = append(errs, g.limiter.Release(ctx, key(a), t.Probe))
	}
	if t.JobProbe != "" {
		_, err := g.limiter.Unpark(ctx, key(a), t.Tried, t.JobProbe, false)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		g.log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("the next probe has to wait")
	}
}

// Parked tells which of the jobs are parked.
func (g gate) Parked(ctx context.Context, a *account.Account, jobs func() []string) (map[string]time.Time, error) {
	if any, err := g.limiter.AnyParked(ctx, key(a)); err != nil || !any {
		return nil, err
	}
	return g.limiter.Parked(ctx, key(a), jobs())
}

// Try asks for the jobs of a request, of which parked ones may need a probe.
func (g gate) Try(ctx context.Context, a *account.Account, t *dispatch.Admission, jobs func() []string) (map[string]time.Time, error) {
	if any, err := g.limiter.AnyParked(ctx, key(a)); err != nil || !any {
		return nil, err
	}
	tried := jobs()
	wait, probe, err := g.limiter.Try(ctx, key(a), tried, 2*a.Timeout+probeSlack)
	if probe != "" {
		t.JobProbe, t.Tried = probe, tried
	}
	return wait, err
}

// quotaAfter is how long flow control that may be a quota is taken for flow control.
const quotaAfter = 10 * time.Minute

// Answered holds back what the answer is about. It stops the (app, vendor) when
// the vendor says that it is too fast, that its settings are wrong, or nothing at
// all; parks the jobs whose own configuration error it is; and pauses a bucket
// whose quota is used up. Any other answer counts as healthy and ends a stop.
func (g gate) Answered(ctx context.Context, a *account.Account, t dispatch.Admission, s dispatch.Finding) (until time.Time) {
	ctx = context.WithoutCancel(ctx)
	row := s.Row
	halt := limit.Halt{RetryAfter: s.RetryAfter, Reason: row.Key() + ": " + row.Meaning, Probe: t.Probe}
	switch {
	case row.Remedy == classify.RefreshAuth:
		// The call is made once more, and that answer counts.
	case row.Remedy == classify.SlowDown && row.Scope == classify.ScopeApp:
		halt.Kind = limit.TooFast
		if !g.quotaInDisguise(ctx, a, t, row, halt.Reason) {
			g.stop(ctx, a, row, halt)
		}
	case row.Remedy == classify.Config && s.Grant:
		halt.Kind = limit.Misconfigured
		g.stop(ctx, a, row, halt)
	case row.Remedy == classify.Config && row.Scope != classify.ScopeToken:
		return g.park(ctx, a, t, s, halt)
	case unreachable(row):
		halt.Kind = limit.Unreachable
		g.stop(ctx, a, row, halt)
	case row.Remedy == classify.WaitQuota && (row.Bucket != "" || row.Scope == classify.ScopeApp):
		g.pause(ctx, a, t.Buckets, row, halt.Reason)
		g.well(ctx, a, t)
	default:
		if row.Class == classify.Success {
			g.limiter.Succeeded(key(a))
		}
		g.well(ctx, a, t)
		if !row.Remedy.Repeats() {
			g.unpark(ctx, a, t)
		}
	}
	return time.Time{}
}

// park parks the jobs that got a configuration error. One of the app's stops the
// app as soon as a second job got it. What parked jobs get for their own probes
// says nothing new of the app: another job's request shows whether it may go on.
func (g gate) park(ctx context.Context, a *account.Account, t dispatch.Admission, s dispatch.Finding, halt limit.Halt) (until time.Time) {
	p := limit.Parking{Code: s.Row.Key(), RetryAfter: s.RetryAfter, AboutApp: s.Row.Scope == classify.ScopeApp, Probe: t.JobProbe}
	for _, j := range s.Jobs {
		p.Jobs = append(p.Jobs, limit.Job{ID: j.ID, Expires: j.Expires})
	}
	until, news, second, err := g.limiter.Park(ctx, key(a), p)
	if err != nil || news {
		g.log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Str("code", p.Code).Str("job", p.Jobs[0].ID).Int("jobs", len(p.Jobs)).
			Time("until", until).Msg("parked, while other jobs go on: " + s.Row.Meaning)
	}
	switch {
	case second && t.JobProbe == "":
		halt.Kind = limit.Misconfigured
		g.stop(ctx, a, s.Row, halt)
	case !p.AboutApp:
		g.well(ctx, a, t)
	}
	return until
}

func (g gate) unpark(ctx context.Context, a *account.Account, t dispatch.Admission) {
	if t.JobProbe == "" {
		return
	}
	ended, err := g.limiter.Unpark(ctx, key(a), t.Tried, t.JobProbe, true)
	switch {
	case err != nil:
		g.log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("jobs stay parked although the vendor took a request of theirs")
	case ended:
		g.log.Info().Str("app", a.App).Str("vendor", a.Spec.Name).Str("job", t.Tried[0]).Int("jobs", len(t.Tried)).Msg("parked no longer: the vendor took a request of theirs")
	}
}

// quotaInDisguise tells whether flow control is by now taken for a quota that is
// used up: then the app waits for the row's window.
func (g gate) quotaInDisguise(ctx context.Context, a *account.Account, t dispatch.Admission, row classify.Row, why string) bool {
	if row.Window == "" {
		return false
	}
	st, err := g.limiter.State(ctx, key(a))
	if err != nil || st.Stop == nil || st.Stop.Kind != limit.TooFast || g.now().Sub(st.Stop.Since) < quotaAfter {
		return false
	}
	g.pause(ctx, a, nil, row, why)
	g.well(ctx, a, t)
	return true
}

// unreachable tells whether the vendor was not there. A server's error is an
// answer: it comes at once, and may be about the message.
func unreachable(row classify.Row) bool {
	return row.Remedy == classify.Backoff && row.Level == classify.Transport &&
		(row.Code == classify.Dial || row.Code == classify.Timeout || row.Code == classify.Broken)
}

func (g gate) stop(ctx context.Context, a *account.Account, row classify.Row, h limit.Halt) {
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
func (g gate) pause(ctx context.Context, a *account.Account, buckets []string, row classify.Row, why string) {
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

func (g gate) well(ctx context.Context, a *account.Account, t dispatch.Admission) {
	ended, err := g.limiter.Well(ctx, key(a), t.Probe)
	switch {
	case err != nil:
		g.log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("the end of a stop cannot be recorded: it ends with the next probe")
	case ended:
		g.log.Info().Str("app", a.App).Str("vendor", a.Spec.Name).Msg("a probe was well: sending again")
	}
}
