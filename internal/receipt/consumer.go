package receipt

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// perRead is the most entries that are applied together.
	perRead = 20
	// claimEvery is how often a worker looks for entries that another one read and did not
	// finish, and claimIdle how long those must have been idle.
	claimEvery = 10 * time.Second
	claimIdle  = 30 * time.Second
	// applyTime bounds the work on entries that were read.
	applyTime = 10 * time.Second
	// retryWait is the wait while Redis is not reachable.
	retryWait = time.Second
)

// Consumer applies receipts, together with the consumers of other workers.
type Consumer struct {
	Config
	Ledger *ledger.Store
}

// Run applies receipts until ctx ends, and finishes the entries that it has read. An
// entry is acknowledged only after it was applied, and applying it again changes nothing:
// entries that a worker did not finish are applied by another.
func (c *Consumer) Run(ctx context.Context) {
	in, logged := &coord.StreamReader{
		Redis: c.Store.Redis, Stream: wire.ReceiptStream, PerRead: perRead, ClaimEvery: claimEvery, ClaimIdle: claimIdle,
	}, false
	for ctx.Err() == nil {
		all, _, err := in.Read(ctx)
		if err == nil {
			err = c.work(ctx, in, all)
		}
		if err != nil && ctx.Err() == nil {
			if !logged {
				c.Log.Error().Err(err).Msg("receipts are applied later")
			}
			coord.Sleep(ctx, retryWait)
		}
		logged = err != nil
	}
	in.Leave(context.WithoutCancel(ctx))
}

// work applies entries and acknowledges them.
func (c *Consumer) work(ctx context.Context, in *coord.StreamReader, all []redis.XMessage) error {
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
		case errors.Is(err, wire.ErrNewer):
			continue // it is read again, perhaps by a worker that knows its version
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
	return in.Done(ctx, done, nil)
}
