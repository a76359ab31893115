package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/postrider/postrider/internal/limit"
	"github.com/postrider/postrider/internal/status"
	"github.com/postrider/postrider/pkg/vendors"
)

// readTime bounds what a scrape reads from Redis.
const readTime = 2 * time.Second

// limits tells how the accounts stand. All workers share that, so it is read
// from Redis at each scrape, and each worker tells the same.
type limits struct {
	read                              func(context.Context) (map[string][]status.App, error)
	readable, factor, stopped, paused *prometheus.Desc
	parked                            *prometheus.Desc
}

// Watch adds the gauges of rates, stops and pauses. read gives every account's,
// by vendor.
func (m *Metrics) Watch(read func(context.Context) (map[string][]status.App, error)) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("postrider_"+name, help, labels, nil)
	}
	m.Registry.MustRegister(&limits{
		read:     read,
		readable: desc("limits_readable", "1 when rates, stops and pauses could be read from Redis for this scrape."),
		factor:   desc("rate_factor", "The part of the configured rate that slow-downs have left.", "app", "vendor"),
		stopped:  desc("stopped", "1 while nothing but a probe is sent: slow-down, circuit or config.", "app", "vendor", "kind"),
		parked:   desc("parked_jobs", "Jobs that wait alone because of a configuration error of their own.", "app", "vendor"),
		paused:   desc("paused_until_seconds", "Unix time until which a quota's bucket is paused; absent when none is. Empty bucket: everything.", "app", "vendor", "bucket"),
	})
}

// Describe tells which gauges there are.
func (l *limits) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{l.readable, l.factor, l.stopped, l.paused, l.parked} {
		c <- d
	}
}

// Collect reads them.
func (l *limits) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
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
	// Parts of a bucket, such as channels, may be any text: they share a label.
	until := map[string]time.Time{}
	for _, h := range a.Holds {
		if h.Stop() {
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
