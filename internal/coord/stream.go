package coord

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// consumerGroup is the consumer group of every stream.
	consumerGroup = "workers"
	// readTime is how long Read waits for an entry.
	readTime = time.Second
	// goneAfter is how long a consumer without entries is idle before it is deleted.
	goneAfter = time.Hour
)

// StreamReader reads a stream for one worker. It is for one goroutine.
type StreamReader struct {
	Redis  redis.UniversalClient
	Stream string
	// PerRead is the most entries of one Read.
	PerRead int64
	// ClaimEvery is how often Read looks for entries that another worker read and did not
	// finish, and ClaimIdle how long those must have been idle.
	ClaimEvery, ClaimIdle time.Duration

	me      string
	claimed time.Time
}

// Read returns entries: first those that another worker did not finish, which may have
// been applied already (again), else new ones. It waits a second for one.
func (r *StreamReader) Read(ctx context.Context) (all []redis.XMessage, again bool, err error) {
	if time.Since(r.claimed) > r.ClaimEvery {
		left, err := r.claim(ctx)
		if err != nil || len(left) > 0 {
			return left, true, err
		}
	}
	got, err := r.Redis.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: consumerGroup, Consumer: r.me, Streams: []string{r.Stream, ">"}, Count: r.PerRead, Block: readTime,
	}).Result()
	switch {
	case errors.Is(err, redis.Nil), err == nil && len(got) == 0:
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("read %s: %w", r.Stream, err)
	}
	return got[0].Messages, false, nil
}

func (r *StreamReader) claim(ctx context.Context) ([]redis.XMessage, error) {
	if r.me == "" {
		r.me = rand.Text()
	}
	err := r.Redis.XGroupCreateMkStream(ctx, r.Stream, consumerGroup, "0").Err()
	if err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
		return nil, fmt.Errorf("create the group of %s: %w", r.Stream, err)
	}
	r.drop(ctx, func(x redis.XInfoConsumer) bool { return x.Idle > goneAfter })
	left, _, err := r.Redis.XAutoClaim(ctx, &redis.XAutoClaimArgs{
		Stream: r.Stream, Group: consumerGroup, Consumer: r.me, MinIdle: r.ClaimIdle, Start: "0", Count: r.PerRead,
	}).Result()
	if err != nil {
		return nil, fmt.Errorf("take over entries of %s: %w", r.Stream, err)
	}
	if int64(len(left)) < r.PerRead {
		r.claimed = time.Now()
	}
	return left, nil
}

// Done removes entries from the stream, in one step with the commands that more adds;
// nil: none. The step may be done twice: go-redis sends it again when its reply was lost.
func (r *StreamReader) Done(ctx context.Context, ids []string, more func(redis.Pipeliner)) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := r.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		if more != nil {
			more(p)
		}
		p.XAck(ctx, r.Stream, consumerGroup, ids...)
		p.XDel(ctx, r.Stream, ids...)
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove %d entries from %s: %w", len(ids), r.Stream, err)
	}
	return nil
}

// Leave deletes this worker's consumer, unless it has unfinished entries: another worker
// will take those over.
func (r *StreamReader) Leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	r.drop(ctx, func(x redis.XInfoConsumer) bool { return x.Name == r.me })
}

// drop deletes consumers without entries. If it fails, the next worker does it.
func (r *StreamReader) drop(ctx context.Context, which func(redis.XInfoConsumer) bool) {
	for _, x := range r.Redis.XInfoConsumers(ctx, r.Stream, consumerGroup).Val() {
		if x.Pending == 0 && which(x) {
			r.Redis.XGroupDelConsumer(ctx, r.Stream, consumerGroup, x.Name)
		}
	}
}

// EachPage hands the entries of a stream to do, the oldest first and a page at a
// time, from the id first on; entries that are added meanwhile are left out. It
// ends at the first error of do, and returns that as it is.
func EachPage(ctx context.Context, rdb redis.UniversalClient, stream, first string, page int64, do func([]redis.XMessage) error) error {
	last, err := rdb.XRevRangeN(ctx, stream, "+", "-", 1).Result()
	if err != nil {
		return fmt.Errorf("read %s: %w", stream, err)
	}
	if len(last) == 0 {
		return nil
	}
	for {
		all, err := rdb.XRangeN(ctx, stream, first, last[0].ID, page).Result()
		if err != nil {
			return fmt.Errorf("read %s: %w", stream, err)
		}
		if len(all) == 0 {
			return nil
		}
		if err := do(all); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		first = "(" + all[len(all)-1].ID
	}
}

// Sleep waits for d, or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
