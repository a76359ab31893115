package worker

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// producer returns the client that checks and enqueues jobs by this configuration.
func (w *Worker) producer(c *config.Config) *push.Client {
	client, err := push.NewClient(w.rdb, push.Options{Vendors: registry.ForClient(), Apps: c.ForClient(), Now: w.clock.Now})
	if err != nil {
		panic(err) // a vendor in the registry has no batch limit; every test would fail
	}
	return client
}

// completeStale completes or removes jobs that dead producers left half-enqueued.
func (w *Worker) completeStale(ctx context.Context) error {
	completed, removed, err := w.intake.Load().CompleteStale(ctx)
	if n := completed + removed; n > 0 {
		w.metrics.Recovered("producer-died", n)
		w.log.Warn().Int("completed", completed).Int("taken_back", removed).Msg("producers died while they enqueued jobs")
	}
	return err
}

// countJobs registers metrics of how many jobs are open and stuck, as counted by
// the last pass over all open work. All workers report the same numbers.
func (w *Worker) countJobs() {
	for field, name := range map[string]struct{ metric, help string }{
		wire.FieldOpenJobs:  {"postrider_open_jobs", "Jobs that have not ended."},
		wire.FieldStuckJobs: {"postrider_stuck_jobs", "Jobs with pending tokens that no task could send."},
	} {
		w.metrics.Length(name.metric, name.help, func(ctx context.Context) (int64, error) {
			n, err := w.rdb.HGet(ctx, wire.OpenCountKey, field).Int64()
			if errors.Is(err, redis.Nil) {
				return 0, nil // no pass has finished yet
			}
			return n, err
		})
	}
}

// startIntake enqueues the jobs of the intake stream.
func (w *Worker) startIntake() {
	stream := &intake.Stream{
		Redis: w.rdb, Meter: w.metrics, Log: w.log,
		Client: func() intake.Enqueuer { return w.intake.Load() },
	}
	w.background.wg.Go(func() { stream.Run(w.background.ctx) })
	for name, s := range map[string]struct{ stream, help string }{
		"postrider_intake_entries":         {wire.IntakeStream, "Jobs on the intake stream that are not enqueued yet."},
		"postrider_intake_refused_entries": {wire.RefusedStream, "Refused jobs and tokens of the intake stream that producers have not deleted."},
	} {
		w.metrics.Length(name, s.help, func(ctx context.Context) (int64, error) { return w.rdb.XLen(ctx, s.stream).Result() })
	}
}
