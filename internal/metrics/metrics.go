// Package metrics defines the metrics that Prometheus scrapes from a worker.
//
// Label values are bounded: apps and vendors come from the configuration, codes
// from the tables (all others are "unknown"). No token, job or secret is ever a
// label value. The package knows names and help texts; it decides nothing.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/limit"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

// Metrics counts what a worker does. It is a dispatch.Meter, a receipt.Meter, a
// feedback.WebhookMeter, a pull.Meter and an intake.StreamMeter.
type Metrics struct {
	Registry *prometheus.Registry

	outcomes  *prometheus.CounterVec
	requeued  *prometheus.CounterVec
	requests  *prometheus.CounterVec
	tokens    *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	receipts  *prometheus.CounterVec
	refusals  *prometheus.CounterVec
	entries   *prometheus.CounterVec
	skipped   *prometheus.CounterVec
	webhook   webhook
	pulls     *prometheus.CounterVec
	lost      *prometheus.CounterVec
	stops     *prometheus.CounterVec
	intake    *prometheus.CounterVec
	grants    *prometheus.CounterVec
	recovered *prometheus.CounterVec
}

// New registers the metrics, with those of Go and of the process.
func New() *Metrics {
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postrider_tokens_total", Help: "Tokens that ended, by outcome.",
		}, []string{"app", "vendor", "outcome"}),
		requeued: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postrider_tokens_again_total", Help: "Requeued tokens, by remedy.",
		}, []string{"app", "vendor", "remedy"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postrider_requests_total", Help: "Requests by the answer's level and code.",
		}, []string{"app", "vendor", "level", "code", "class"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postrider_requested_tokens_total", Help: "Tokens in requests.",
		}, []string{"app", "vendor"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "postrider_request_seconds", Help: "How long requests took.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"vendor"}),
		receipts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postrider_receipts_total", Help: "Receipts by event; unknown: receipts for a message that postrider does not know.",
		}, []string{"app", "vendor", "event"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postrider_receipts_refused_total", Help: "Refused calls with receipts, by reason: unproven, unreadable, too-long or not-kept.",
		}, []string{"vendor", "reason"}),
		entries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postrider_invalid_entries_total", Help: "Invalid tokens by destination: feed, or held (quarantined by the guard).",
		}, []string{"app", "vendor", "to"}),
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postrider_suppressed_tokens_total", Help: "Tokens that were skipped because they are known to be invalid.",
		}, []string{"app", "vendor"}),
		webhook: newWebhook(),
		pulls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postrider_pulls_total", Help: "Requests for a vendor's own list of invalid tokens, by result: ok or failed.",
		}, []string{"app", "vendor", "result"}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postrider_pulled_tokens_lost_total", Help: "Tokens of a vendor's list that could not be read or stored.",
		}, []string{"app", "vendor"}),
		recovered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postrider_tasks_recovered_total", Help: "Tasks that were lost and recovered, by reason: worker-died, lost-task, archived or producer-died.",
		}, []string{"reason"}),
		intake: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postrider_intake_jobs_total", Help: "Jobs of the intake stream, by result: enqueued or refused.",
		}, []string{"result"}),
		stops: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postrider_stops_total", Help: "Stops of an app at a vendor that this worker's requests caused, by kind: slow-down, circuit or config.",
		}, []string{"app", "vendor", "kind"}),
		grants: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "postrider_grants_total", Help: "This worker's requests for access tokens, by result: granted, refused or unreachable.",
		}, []string{"app", "vendor", "result"}),
	}
	m.Registry.MustRegister(m.outcomes, m.requeued, m.requests, m.tokens, m.seconds, m.receipts, m.refusals, m.entries, m.skipped, m.pulls, m.lost,
		m.webhook.sent, m.webhook.failures, m.webhook.lag, m.webhook.age, m.stops, m.grants, m.intake, m.recovered,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, reason := range []string{"worker-died", "lost-task", "archived", "producer-died"} {
		m.Recovered(reason, 0)
	}
	return m
}

// Recovered counts tasks that were lost and recovered.
func (m *Metrics) Recovered(reason string, n int) {
	m.recovered.WithLabelValues(reason).Add(float64(n))
}

// Prepare creates an account's series with the value 0, so that rate() sees the first increase.
func (m *Metrics) Prepare(app, vendor string) {
	for _, o := range wire.Outcomes() {
		m.outcomes.WithLabelValues(app, vendor, string(o))
	}
	for _, r := range []classify.Remedy{
		classify.Backoff, classify.RefreshAuth, classify.SlowDown, classify.WaitQuota, classify.Split, classify.Config,
	} {
		m.requeued.WithLabelValues(app, vendor, string(r))
	}
	for _, reason := range []string{"unproven", "unreadable", "too-long", "not-kept"} {
		m.refusals.WithLabelValues(vendor, reason)
	}
	m.tokens.WithLabelValues(app, vendor)
	m.skipped.WithLabelValues(app, vendor)
	for _, quarantined := range []bool{false, true} {
		m.Invalid(app, vendor, 0, quarantined)
	}
	for _, k := range limit.Kinds() {
		m.stops.WithLabelValues(app, vendor, string(k))
	}
	for _, r := range []string{granted, refused, unreachable} {
		m.grants.WithLabelValues(app, vendor, r)
	}
}

// The results of a grant.
const (
	granted     = "granted"
	refused     = "refused"
	unreachable = "unreachable"
)

// Intake counts jobs of the intake stream.
func (m *Metrics) Intake(enqueued, refused int) {
	m.intake.WithLabelValues("enqueued").Add(float64(enqueued))
	m.intake.WithLabelValues("refused").Add(float64(refused))
}

// Stopped counts a stop of an app at a vendor.
func (m *Metrics) Stopped(app, vendor, kind string) { m.stops.WithLabelValues(app, vendor, kind).Inc() }

// Grant counts a request for an access token; a nil refusal: it was granted.
func (m *Metrics) Grant(app, vendor string, refusal *vendors.Error) {
	result := granted
	switch {
	case refusal == nil:
	case refusal.Code.Level == classify.Transport:
		result = unreachable
	default:
		result = refused
	}
	m.grants.WithLabelValues(app, vendor, result).Inc()
}

// Request counts one request and its answer.
func (m *Metrics) Request(a *account.Account, row classify.Row, tokens int, took time.Duration) {
	code := row.Code
	if _, known := a.Codes.Lookup(row.Level, row.Code); !known {
		code = "unknown"
	}
	m.requests.WithLabelValues(a.App, a.Spec.Name, string(row.Level), code, string(row.Class)).Inc()
	m.tokens.WithLabelValues(a.App, a.Spec.Name).Add(float64(tokens))
	m.seconds.WithLabelValues(a.Spec.Name).Observe(took.Seconds())
}

// Outcome counts tokens that ended.
func (m *Metrics) Outcome(app, vendor string, o wire.Outcome, tokens int) {
	m.outcomes.WithLabelValues(app, vendor, string(o)).Add(float64(tokens))
}

// Again counts tokens that are sent again, by what is done about it.
func (m *Metrics) Again(app, vendor string, remedy classify.Remedy, tokens int) {
	m.requeued.WithLabelValues(app, vendor, string(remedy)).Add(float64(tokens))
}

// Refused counts a refused call with receipts.
func (m *Metrics) Refused(vendor, reason string) {
	m.refusals.WithLabelValues(vendor, reason).Inc()
}

// Receipt counts receipts that were applied.
func (m *Metrics) Receipt(app, vendor, event string, n int) {
	m.receipts.WithLabelValues(app, vendor, event).Add(float64(n))
}
