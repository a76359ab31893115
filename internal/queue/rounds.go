package queue

import (
	"context"
	"errors"
	"time"
)

// rounds reaps and sweeps until ctx ends.
func rounds(ctx context.Context, r *reaper, s *sweeper, t *trouble) {
	reap, sweep := time.NewTicker(reapEvery), time.NewTicker(s.every)
	defer reap.Stop()
	defer sweep.Stop()
	logged := false
	for due := true; ; {
		poison, err := r.reap(ctx)
		if err == nil && (due || poison > 0) {
			err = s.sweep(ctx, poison > 0)
		}
		switch {
		case errors.Is(err, context.Canceled):
		case err != nil:
			if !logged {
				r.log.Error().Err(err).Msg("tasks of dead workers do not run again until this error is resolved")
			}
			logged = true
			t.note()
		default:
			logged = false
			t.over(r.log)
		}
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			due = true
		case <-reap.C:
			due = false
		}
	}
}
