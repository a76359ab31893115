// Package baseline is plain asynq with nothing of ours: what the benchmarks
// compare with.
package baseline

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// Noop enqueues n tasks with the payload from several goroutines, drains them
// with a handler that does nothing, and answers how long each took.
func Noop(ctx context.Context, rdb redis.UniversalClient, n int, payload []byte, concurrency int) (enqueued, drained time.Duration, err error) {
	client := asynq.NewClientFromRedisClient(rdb)
	start := time.Now()
	const producers = 16
	var g errgroup.Group
	for p := range producers {
		g.Go(func() error {
			for i := p; i < n; i += producers {
				if _, err := client.EnqueueContext(ctx, asynq.NewTask("noop", payload), asynq.Queue("noop")); err != nil {
					return fmt.Errorf("enqueue: %w", err)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return 0, 0, err
	}
	enqueued = time.Since(start)

	var left atomic.Int64
	left.Store(int64(n))
	done := make(chan struct{})
	srv := asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Concurrency: concurrency, Queues: map[string]int{"noop": 1}, LogLevel: asynq.FatalLevel,
	})
	start = time.Now()
	if err := srv.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error {
		if left.Add(-1) == 0 {
			close(done)
		}
		return nil
	})); err != nil {
		return 0, 0, fmt.Errorf("start: %w", err)
	}
	defer srv.Shutdown()
	select {
	case <-done:
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	return enqueued, time.Since(start), nil
}
