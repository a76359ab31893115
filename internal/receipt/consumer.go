package receipt

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// group is the consumer group that all workers share.
	group = "workers"
	// perRead is the most entries that are applied together.
	perRead = 20
	// readTime is how long a read waits for an entry: so long may Run take to end.
	readTime = time.Second
	// claimEvery is how often a worker looks for what another one left, and
	// claimIdle how long that must have lain.
	claimEvery = 10 * time.Second
	claimIdle  = 30 * time.Second
	// applyTime ends the work on what was read.
	applyTime = 10 * time.Second
	// rest is the wait while Redis is away.
	rest = time.Second
	// goneAfter is when a consumer without entries that has not been heard of
	// is taken off the list.
	goneAfter = time.Hour
)

// Consumer applies receipts, together with those of other workers.
type Consumer struct {
	Config
	Ledger *ledger.Store
}

// Run applies receipts until ctx ends, and finishes what it has read. An entry
// is acknowledged only after it was applied, and applying it again changes
// nothing: what a worker leaves behind is applied by another.
func (c *Consumer) Run(ctx context.Context) {
	me, claimed, told := rand.Text(), time.Time{}, false
	for ctx.Err() == nil {
		claim := time.Since(claimed) > claimEvery
		all, err := c.read(ctx, me, claim)
		if err == nil {
			err = c.work(ctx, all)
		}
		if claim && err == nil && len(all) < perRead {
			claimed = time.Now()
		}
		if err != nil && ctx.Err() == nil {
			if !told {
				c.Log.Error().Err(err).Msg("receipts wait: they are applied later")
			}
			pause(ctx, rest)
		}
		told = err != nil
	}
	c.leave(context.WithoutCancel(ctx), me)
}

// read takes entries: with claim those that others left first.
func (c *Consumer) read(ctx context.Context, me string, claim bool) ([]redis.XMessage, error) {
	rdb := c.Store.Redis
	if claim {
		if err := rdb.XGroupCreateMkStream(ctx, wire.ReceiptStream, group, "0").Err(); err != nil && !strings.HasPrefix(err.Error(), "BUSYGROUP") {
			return nil, fmt.Errorf("create the receipts' group: %w", err)
		}
		c.forget(ctx)
		left, _, err := rdb.XAutoClaim(ctx, &redis.XAutoClaimArgs{
			Stream: wire.ReceiptStream, Group: group, Consumer: me, MinIdle: claimIdle, Start: "0", Count: perRead,
		}).Result()
		if err != nil || len(left) > 0 {
			return left, err
		}
	}
	got, err := rdb.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: group, Consumer: me, Streams: []string{wire.ReceiptStream, ">"}, Count: perRead, Block: readTime,
	}).Result()
	if errors.Is(err, redis.Nil) || len(got) == 0 {
		return nil, nilIf(err)
	}
	return got[0].Messages, nil
}

func nilIf(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// work applies entries and acknowledges them.
func (c *Consumer) work(ctx context.Context, all []redis.XMessage) error {
	if len(all) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyTime)
	defer cancel()
	var entries []entry
	var done []string
	for _, m := range all {
		e, err := readEntry(m)
		switch {
		case errors.Is(err, errNewer):
			continue // it comes again, perhaps to a worker that can read it
		case err != nil:
			c.Log.Error().Err(err).Str("entry", m.ID).Msg("an unreadable entry of the receipts was dropped")
			c.Meter.Receipt("", "", Unknown, 1)
		default:
			entries = append(entries, e)
		}
		done = append(done, m.ID)
	}
	if err := c.apply(ctx, entries); err != nil {
		return err
	}
	if len(done) == 0 {
		return nil
	}
	_, err := c.Store.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.XAck(ctx, wire.ReceiptStream, group, done...)
		p.XDel(ctx, wire.ReceiptStream, done...)
		return nil
	})
	if err != nil {
		return fmt.Errorf("acknowledge receipts: %w", err)
	}
	return nil
}

// leave takes this consumer off the list, unless entries hang on it: another
// worker will claim those.
func (c *Consumer) leave(ctx context.Context, me string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	c.drop(ctx, func(x redis.XInfoConsumer) bool { return x.Name == me })
}

// forget takes off the list what workers that were killed left there.
func (c *Consumer) forget(ctx context.Context) {
	c.drop(ctx, func(x redis.XInfoConsumer) bool { return x.Idle > goneAfter })
}

// drop is housekeeping: if it fails, the next worker does it.
func (c *Consumer) drop(ctx context.Context, which func(redis.XInfoConsumer) bool) {
	for _, x := range c.Store.Redis.XInfoConsumers(ctx, wire.ReceiptStream, group).Val() {
		if x.Pending == 0 && which(x) {
			c.Store.Redis.XGroupDelConsumer(ctx, wire.ReceiptStream, group, x.Name)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
