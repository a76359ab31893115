package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postrider/postrider/internal/limit"
	"github.com/postrider/postrider/internal/status"
	"github.com/postrider/postrider/pkg/vendors"
)

// readTimeout bounds what one scrape reads from Redis.
const readTimeout = 2 * time.Second

// limits collects the rates, stops and pauses of the accounts. They are shared by
// all workers, so they are read from Redis at each scrape, and every worker
// reports the same values.
type limits struct {
	read                              func(context.Context) (map[string][]status.App, error)
	readable, factor, stopped, paused *prometheus.Desc
	parked                            *prometheus.Desc
}

// Watch registers the gauges of rates, stops and pauses. read returns the apps of
// each vendor.
func (m *Metrics) Watch(read func(context.Context) (map[string][]status.App, error)) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("postrider_"+name, help, labels, nil)
	}
	m.Registry.MustRegister(&limits{
		read:     read,
		readable: desc("limits_readable", "1 if rates, stops and pauses could be read from Redis for this scrape."),
		factor:   desc("rate_factor", "Share of the configured rate that slow-downs have left, 0 to 1.", "app", "vendor"),
		stopped:  desc("stopped", "1 while the app is stopped and only probes are sent; kind: slow-down, circuit or config.", "app", "vendor", "kind"),
		parked:   desc("parked_jobs", "Jobs that are parked because of a configuration error that concerns only them.", "app", "vendor"),
		paused:   desc("paused_until_seconds", "Unix time until which a quota's bucket is paused; absent if none is paused. Empty bucket: the whole app.", "app", "vendor", "bucket"),
	})
}

// Describe sends the descriptions of the gauges.
func (l *limits) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{l.readable, l.factor, l.stopped, l.paused, l.parked} {
		c <- d
	}
}

// Collect reads and sends the gauges.
func (l *limits) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	all, err := l.read(ctx)
	c <- prometheus.MustNewConstMetric(l.readable, prometheus.GaugeValue, one(err == nil))
	for vendor, apps := range all {
		for _, a := range apps {
			l.collect(c, vendor, a)
		}
	}
}

func (l *limits) collect(c chan<- prometheus.Metric, vendor string, a status.App) {
	c <- prometheus.MustNewConstMetric(l.factor, prometheus.GaugeValue, a.Factor, a.App, vendor)
	c <- prometheus.MustNewConstMetric(l.parked, prometheus.GaugeValue, float64(a.AllParked), a.App, vendor)
	stop := ""
	// Parts of a bucket, such as channels, may be any text, so they share a label.
	until := map[string]time.Time{}
	for _, h := range a.Pauses {
		if h.IsStop() {
			stop = h.Kind
			continue
		}
		if name := vendors.BucketName(h.Bucket); h.Until.After(until[name]) {
			until[name] = h.Until
		}
	}
	for _, kind := range limit.Kinds() {
		c <- prometheus.MustNewConstMetric(l.stopped, prometheus.GaugeValue, one(stop == string(kind)), a.App, vendor, string(kind))
	}
	for bucket, at := range until {
		c <- prometheus.MustNewConstMetric(l.paused, prometheus.GaugeValue, float64(at.Unix()), a.App, vendor, bucket)
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
