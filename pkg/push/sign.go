package push

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// signEvery is how often the sender of a job in parts shows life.
const signEvery = 10 * time.Second

// sign shows that the sender of a job in parts lives, also while its input
// stalls and nothing is staged. It ends with stop; the zero sign has not begun.
type sign struct {
	end  context.CancelFunc // nil: it does not run
	done sync.WaitGroup
}

// start begins to show life, unless it has begun. It goes on after ctx has
// ended, which is of one call alone.
func (s *sign) start(ctx context.Context, c *Client, job string) {
	if s.end != nil {
		return
	}
	ctx, s.end = context.WithCancel(context.WithoutCancel(ctx))
	s.done.Go(func() {
		again := time.NewTicker(c.signEvery)
		defer again.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-again.C:
				// A failure is made good by the next sign: there are many before
				// the job is taken back. One that is no longer staged gets none.
				_ = c.rdb.ZAddArgs(ctx, wire.StagingKey, redis.ZAddArgs{
					XX: true, GT: true, Members: []redis.Z{{Score: float64(c.now().Unix()), Member: job}},
				}).Err()
			}
		}
	})
}

// stop ends it, and returns when it has ended.
func (s *sign) stop() {
	if s.end == nil {
		return
	}
	s.end()
	s.done.Wait()
	s.end = nil
}
