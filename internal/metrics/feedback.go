package metrics

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Invalid counts invalid tokens that entered the feed or the quarantine (held).
func (m *Metrics) Invalid(app, vendor string, n int, quarantined bool) {
	to := "feed"
	if quarantined {
		to = "held"
	}
	m.entries.WithLabelValues(app, vendor, to).Add(float64(n))
}

// Skipped counts tokens that were not sent because they are known to be invalid.
func (m *Metrics) Skipped(app, vendor string, tokens int) {
	m.skipped.WithLabelValues(app, vendor).Add(float64(tokens))
}

// Pulled counts a request for a vendor's own list of invalid tokens.
func (m *Metrics) Pulled(app, vendor string, ok bool) {
	result := "ok"
	if !ok {
		result = "failed"
	}
	m.pulls.WithLabelValues(app, vendor, result).Inc()
}

// Lost counts tokens of a vendor's list that could not be stored.
func (m *Metrics) Lost(app, vendor string, tokens int) {
	m.lost.WithLabelValues(app, vendor).Add(float64(tokens))
}

// webhook are the metrics of the webhook. Only the worker that calls it reports a lag.
type webhook struct {
	sent, failures prometheus.Counter
	lag, age       prometheus.Gauge
}

func newWebhook() webhook {
	return webhook{
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postrider_webhook_entries_total", Help: "Feed entries that the webhook accepted.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postrider_webhook_failures_total", Help: "Failed calls of the webhook.",
		}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "postrider_webhook_lag_entries", Help: "Feed entries that the webhook has not accepted yet; counted up to 10,000.",
		}),
		age: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "postrider_webhook_lag_seconds", Help: "How long the oldest of these entries has waited.",
		}),
	}
}

// Delivered counts entries that the webhook accepted.
func (m *Metrics) Delivered(entries int) { m.webhook.sent.Add(float64(entries)) }

// Failed counts a failed call of the webhook.
func (m *Metrics) Failed() { m.webhook.failures.Inc() }

// Behind sets how many entries the webhook has not accepted, and the age of the oldest.
func (m *Metrics) Behind(entries int, age time.Duration) {
	m.webhook.lag.Set(float64(entries))
	m.webhook.age.Set(age.Seconds())
}

// scrapeTimeout bounds the reads of one scrape by Prometheus.
const scrapeTimeout = 2 * time.Second

// Length registers a gauge that calls ask at each scrape; it is NaN while ask
// fails. All workers report the same value.
func (m *Metrics) Length(name, help string, ask func(context.Context) (int64, error)) {
	m.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
		defer cancel()
		n, err := ask(ctx)
		if err != nil {
			return math.NaN()
		}
		return float64(n)
	}))
}
