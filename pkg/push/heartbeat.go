package push

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// heartbeatEvery is the time between two heartbeats of the sender of a job in parts.
const heartbeatEvery = 10 * time.Second

// heartbeat sends heartbeats for a job that is being enqueued in parts, also while its
// input stalls and nothing is staged. It ends with stop; the zero heartbeat has not begun.
type heartbeat struct {
	end  context.CancelFunc // nil: it is not running
	done sync.WaitGroup
}

// start begins to send heartbeats, unless it has begun. They continue after ctx has
// ended, which is that of one call only.
func (s *heartbeat) start(ctx context.Context, c *Client, job string) {
	if s.end != nil {
		return
	}
	ctx, s.end = context.WithCancel(context.WithoutCancel(ctx))
	s.done.Go(func() {
		again := time.NewTicker(c.heartbeatEvery)
		defer again.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-again.C:
				// A failure does no harm: there are many heartbeats before the job is
				// aborted. A job that is no longer staged gets none.
				_ = c.rdb.ZAddArgs(ctx, wire.StagingKey, redis.ZAddArgs{
					XX: true, GT: true, Members: []redis.Z{{Score: float64(c.now().Unix()), Member: job}},
				}).Err()
			}
		}
	})
}

// stop ends the heartbeats, and returns when the goroutine has ended.
func (s *heartbeat) stop() {
	if s.end == nil {
		return
	}
	s.end()
	s.done.Wait()
	s.end = nil
}
