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
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors"
)

// probeSlack is how much longer than two request timeouts, of the grant and of the
// request itself, the gate waits for the answer to a probe.
const probeSlack = 5 * time.Second

// gate is the dispatcher's Gate, on the limiter that all workers share. It decides
// nothing: what an answer means for other requests comes from retry.SignalOf.
type gate struct {
	limiter *limit.Limiter
	meter   gateMeter
	log     zerolog.Logger
	now     func() time.Time
}

// gateMeter counts the stops that this worker caused.
type gateMeter interface {
	Stopped(app, vendor, kind string)
}

// newLimiter returns a limiter with the gate's clock, since their times are compared.
func newLimiter(rdb redis.UniversalClient, now func() time.Time) *limit.Limiter {
	return &limit.Limiter{Redis: rdb, Now: now}
}

func key(a *account.Account) limit.Key { return limit.Key{App: a.App, Vendor: a.Spec.Name} }

// reasonRate is why a request waits for its turn at the rate limit.
const reasonRate = "waiting for the rate limit"

// Admit checks pauses and stops, then takes permits.
func (g gate) Admit(ctx context.Context, a *account.Account, d dispatch.Demand) (dispatch.Admission, error) {
	pass := g.limiter.Pass(ctx, key(a), d.Buckets, 2*a.Timeout+probeSlack)
	adm := dispatch.Admission{Buckets: d.Buckets, Probe: pass.Probe}
	if !pass.Until.IsZero() {
		adm.Wait, adm.Why, adm.Paused = max(pass.Until.Sub(g.now()), time.Millisecond), pass.Why, !pass.Unknown
		return adm, nil
	}
	if a.Rate == 0 {
		return adm, nil
	}
	wait, err := g.limiter.Take(ctx, key(a), limitOf(a), d.Units, d.Priority == push.High)
	adm.Wait, adm.Why, adm.Limited = wait, reasonRate, wait > 0
	if adm.Probe != "" && (wait > 0 || err != nil) {
		g.Done(ctx, a, adm) // another request may be the probe meanwhile
		adm.Probe = ""
	}
	return adm, err
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

// Done returns probes that no answer has used up.
func (g gate) Done(ctx context.Context, a *account.Account, adm dispatch.Admission) {
	var errs []error
	if adm.Probe != "" {
		errs = append(errs, g.limiter.Release(ctx, key(a), adm.Probe))
	}
	if adm.JobProbe != "" {
		_, err := g.limiter.Unpark(ctx, key(a), adm.Tried, adm.JobProbe, false)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		g.log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("a probe that was not used cannot be returned: the next one has to wait")
	}
}

// Parked returns which of the jobs are parked.
func (g gate) Parked(ctx context.Context, a *account.Account, jobs func() []string) (map[string]time.Time, error) {
	if some, err := g.limiter.AnyParked(ctx, key(a)); err != nil || !some {
		return nil, err
	}
	return g.limiter.Parked(ctx, key(a), jobs())
}

// Try returns which jobs of a request are parked, and makes the request the probe of
// those whose wait is over.
func (g gate) Try(ctx context.Context, a *account.Account, adm *dispatch.Admission, jobs func() []string) (map[string]time.Time, error) {
	if some, err := g.limiter.AnyParked(ctx, key(a)); err != nil || !some {
		return nil, err
	}
	tried := jobs()
	wait, probe, err := g.limiter.Try(ctx, key(a), tried, 2*a.Timeout+probeSlack)
	if probe != "" {
		adm.JobProbe, adm.Tried = probe, tried
	}
	return wait, err
}

// answer is a finding about an account, and the admission of its request.
type answer struct {
	dispatch.Finding
	*account.Account
	dispatch.Admission
}

// Answered carries out what retry.SignalOf says of the findings.
func (g gate) Answered(ctx context.Context, a *account.Account, adm dispatch.Admission, findings []dispatch.Finding) (parked []time.Time) {
	ctx = context.WithoutCancel(ctx)
	for i, f := range findings {
		until := g.carryOut(ctx, answer{f, a, adm})
		if until.IsZero() {
			continue
		}
		if parked == nil {
			parked = make([]time.Time, len(findings))
		}
		parked[i] = until
	}
	return parked
}

// carryOut does what the finding's signal says. It returns until when it parked
// the finding's jobs; zero: it did not.
func (g gate) carryOut(ctx context.Context, a answer) (parked time.Time) {
	switch a.Signal {
	case retry.TooFast:
		g.slowDown(ctx, a)
	case retry.Misconfigured:
		g.stop(ctx, a, limit.Misconfigured)
	case retry.Unreachable:
		g.stop(ctx, a, limit.Unreachable)
	case retry.ParkOrStop, retry.Park:
		return g.park(ctx, a)
	case retry.Pause:
		g.pause(ctx, a, a.Buckets)
		g.well(ctx, a)
	case retry.Accepted:
		g.limiter.Succeeded(key(a.Account))
		g.well(ctx, a)
		g.unpark(ctx, a)
	case retry.Judged:
		g.well(ctx, a)
		g.unpark(ctx, a)
	case retry.Well:
		g.well(ctx, a)
	case retry.Nothing:
	}
	return time.Time{}
}

// park parks the finding's jobs. If the app may be at fault, the second job that
// gets the code stops it. What parked jobs get for their own probes says nothing
// new about the app: another job's request shows whether it may go on.
func (g gate) park(ctx context.Context, a answer) (until time.Time) {
	p := limit.Parking{Code: a.Row.Key(), RetryAfter: a.RetryAfter, AboutApp: a.Signal == retry.ParkOrStop, Probe: a.JobProbe}
	for _, j := range a.Jobs {
		p.Jobs = append(p.Jobs, limit.Job{ID: j.ID, Expires: j.Expires})
	}
	until, news, second, err := g.limiter.Park(ctx, key(a.Account), p)
	if err != nil || news {
		g.log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Str("code", p.Code).Str("job", p.Jobs[0].ID).Int("jobs", len(p.Jobs)).
			Time("until", until).Msg("parked, while other jobs go on: " + a.Row.Meaning)
	}
	switch {
	case second && a.JobProbe == "":
		g.stop(ctx, a, limit.Misconfigured)
	case !p.AboutApp:
		g.well(ctx, a)
	}
	return until
}

// unpark lets the jobs go on whose probe the request was.
func (g gate) unpark(ctx context.Context, a answer) {
	if a.JobProbe == "" {
		return
	}
	ended, err := g.limiter.Unpark(ctx, key(a.Account), a.Tried, a.JobProbe, true)
	switch {
	case err != nil:
		g.log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("jobs stay parked although the vendor accepted one of their requests")
	case ended:
		g.log.Info().Str("app", a.App).Str("vendor", a.Spec.Name).Str("job", a.Tried[0]).Int("jobs", len(a.Tried)).Msg("no longer parked: the vendor accepted one of their requests")
	}
}

// slowDown stops the app, or pauses it if the flow control has lasted so long that
// it is taken for a used-up quota.
func (g gate) slowDown(ctx context.Context, a answer) {
	if a.Row.Window != "" {
		st, err := g.limiter.State(ctx, key(a.Account))
		slowed := err == nil && st.Stop != nil && st.Stop.Kind == limit.TooFast
		if slowed && retry.TakenForQuota(a.Row, g.now().Sub(st.Stop.Since)) {
			g.pause(ctx, a, nil)
			g.well(ctx, a)
			return
		}
	}
	g.stop(ctx, a, limit.TooFast)
}

// stop stops everything of the app at the vendor.
func (g gate) stop(ctx context.Context, a answer, kind limit.Kind) {
	h := limit.Halt{Kind: kind, RetryAfter: a.RetryAfter, Reason: a.reason(), Probe: a.Probe}
	until, news, err := g.limiter.Stop(ctx, key(a.Account), h)
	if err == nil && !news {
		return
	}
	g.meter.Stopped(a.App, a.Spec.Name, string(kind))
	e := g.log.Warn()
	if kind == limit.Misconfigured {
		e = g.log.Error()
	}
	e.Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Str("code", a.Row.Key()).Str("kind", string(kind)).Time("until", until).
		Msg("stopped, and probed with one request at a time: " + a.Row.Meaning)
}

func (a answer) reason() string { return a.Row.Key() + ": " + a.Row.Meaning }

// pause pauses those of the buckets that the row concerns until the row's window.
func (g gate) pause(ctx context.Context, a answer, buckets []string) {
	until := a.Row.Window.Next(g.now())
	for _, bucket := range vendors.OfBucket(buckets, a.Row.Bucket) {
		news, err := g.limiter.Pause(ctx, key(a.Account), bucket, until, a.reason())
		if err == nil && !news {
			continue
		}
		g.log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Str("code", a.Row.Key()).Str("bucket", bucket).Time("until", until).
			Msg("paused: " + a.Row.Meaning)
	}
}

// well ends a stop whose probe the request was.
func (g gate) well(ctx context.Context, a answer) {
	ended, err := g.limiter.Well(ctx, key(a.Account), a.Probe)
	switch {
	case err != nil:
		g.log.Warn().Err(err).Str("app", a.App).Str("vendor", a.Spec.Name).Msg("the end of a stop cannot be recorded: it ends with the next probe")
	case ended:
		g.log.Info().Str("app", a.App).Str("vendor", a.Spec.Name).Msg("a probe was answered well: sending again")
	}
}
