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
	// claimEvery is the time between two searches for entries that another worker
	// has read and not acknowledged for claimIdle.
	claimEvery = 10 * time.Second
	claimIdle  = 30 * time.Second
	// applyTimeout bounds the work on one read.
	applyTimeout = 10 * time.Second
	// retryWait is the wait after an error of Redis.
	retryWait = time.Second
)

// Consumer applies receipts, sharing the stream with the consumers of other workers.
type Consumer struct {
	Config
	Ledger *ledger.Store
}

// Run applies receipts until ctx ends, and finishes the entries that it has read.
// An entry is acknowledged only after it was applied, and applying is idempotent,
// so another worker applies entries that this one leaves.
func (c *Consumer) Run(ctx context.Context) {
	in, logged := &coord.StreamReader{
		Redis: c.Store.Redis, Stream: wire.ReceiptStream, PerRead: perRead, ClaimEvery: claimEvery, ClaimIdle: claimIdle,
	}, false
	for ctx.Err() == nil {
		all, _, err := in.Read(ctx)
		if err == nil {
			err = c.applyAndAcknowledge(ctx, in, all)
		}
		if err != nil && ctx.Err() == nil {
			if !logged {
				c.Log.Error().Err(err).Msg("apply receipts: they stay in the stream and are applied later")
			}
			coord.Sleep(ctx, retryWait)
		}
		logged = err != nil
	}
	in.Leave(context.WithoutCancel(ctx))
}

// applyAndAcknowledge applies entries and acknowledges them.
func (c *Consumer) applyAndAcknowledge(ctx context.Context, in *coord.StreamReader, all []redis.XMessage) error {
	if len(all) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyTimeout)
	defer cancel()
	var entries []entry
	var done []string
	for _, m := range all {
		e, err := readEntry(m)
		switch {
		case errors.Is(err, wire.ErrNewer):
			continue // it stays in the stream until a worker can read it
		case err != nil:
			c.Log.Error().Err(err).Str("entry", m.ID).Msg("dropped an unreadable entry of the receipt stream")
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
