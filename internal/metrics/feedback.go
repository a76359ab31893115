package metrics

import (
	"context"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Invalid counts invalid tokens that entered the feed, or that the guard holds.
func (m *Metrics) Invalid(app, vendor string, n int, held bool) {
	to := "feed"
	if held {
		to = "held"
	}
	m.entries.WithLabelValues(app, vendor, to).Add(float64(n))
}

// Skipped counts tokens that were not sent because they are known to be invalid.
func (m *Metrics) Skipped(app, vendor string, tokens int) {
	m.gone.WithLabelValues(app, vendor).Add(float64(tokens))
}

// Pulled counts a request for a vendor's own list of dead tokens.
func (m *Metrics) Pulled(app, vendor string, ok bool) {
	result := "ok"
	if !ok {
		result = "failed"
	}
	m.pulls.WithLabelValues(app, vendor, result).Inc()
}

// Lost counts tokens that were on a vendor's list and could not be kept.
func (m *Metrics) Lost(app, vendor string, tokens int) {
	m.lost.WithLabelValues(app, vendor).Add(float64(tokens))
}

// webhook is what is told of it. Only the worker that calls it has a lag.
type webhook struct {
	sent, failures prometheus.Counter
	lag, age       prometheus.Gauge
}

func newWebhook() webhook {
	return webhook{
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postrider_webhook_entries_total", Help: "Entries of the feed that the webhook took.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postrider_webhook_failures_total", Help: "Calls of the webhook that failed.",
		}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "postrider_webhook_lag_entries", Help: "Entries of the feed that the webhook has not taken yet; counted up to 10,000.",
		}),
		age: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "postrider_webhook_lag_seconds", Help: "How long the oldest of them has waited.",
		}),
	}
}

// Delivered counts entries that the webhook took.
func (m *Metrics) Delivered(entries int) { m.webhook.sent.Add(float64(entries)) }

// Failed counts a call of the webhook that failed.
func (m *Metrics) Failed() { m.webhook.failures.Inc() }

// Behind tells how many entries the webhook has not taken, and for how long.
func (m *Metrics) Behind(entries int, age time.Duration) {
	m.webhook.lag.Set(float64(entries))
	m.webhook.age.Set(age.Seconds())
}

// scrapeTime bounds what is asked for when Prometheus comes by.
const scrapeTime = 2 * time.Second

// Length has a gauge ask for the length of something whenever it is scraped; it
// is NaN while that cannot be had. All workers tell the same.
func (m *Metrics) Length(name, help string, ask func(context.Context) (int64, error)) {
	m.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
		defer cancel()
		n, err := ask(ctx)
		if err != nil {
			return math.NaN()
		}
		return float64(n)
	}))
}
