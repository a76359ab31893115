package dispatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
)

// Lost says what becomes of open work whose task is gone: it is to be sent again
// where its chunk is there, with the task that it answers; tokens that were
// deleted end canceled; and what nobody can send ends dead. The error wraps
// wire.ErrNewer where only a newer version knows what to do.
func (d *Dispatcher) Lost(ctx context.Context, lane string, l queue.Lost) (again *wire.Task, err error) {
	o := l.Open
	h := wire.Header{Version: wire.HeaderVersion, Job: o.Job(), App: o.App, Chunk: o.Chunk, Tokens: o.Tokens, Expires: l.Expires}
	open, err := d.Book.Load(ctx, h)
	var corrupt *ledger.CorruptError
	switch {
	case errors.As(err, &corrupt):
		return nil, d.lose(ctx, lane, o, wire.DeadUnreadable)
	case err != nil:
		return nil, fmt.Errorf("look after task %s: %w", o.Task, err)
	case open == nil:
		return nil, d.lose(ctx, lane, o, wire.DeadLostTask)
	}
	if l.Deleted {
		return nil, d.cancelLost(ctx, lane, h, l, open)
	}
	h.Tokens, h.Start = len(open.Chunk.States), open.Chunk.Entries[0].Start
	if len(open.Chunk.Entries) > 1 {
		h.Jobs = len(open.Chunk.Entries)
	}
	switch {
	case open.Chunk.Entries[0].Message < 0:
		h.Message = push.Digest(h.App, []byte(open.Message))
	case len(open.Chunk.Messages) == 1:
		h.Message = push.Digest(h.App, []byte(open.Chunk.Messages[0]))
	}
	d.Log.Debug().Str("app", h.App).Str("lane", lane).Str("task", o.Task).Msg("a task was lost: its tokens are sent again")
	return &wire.Task{ID: o.Task, Queue: lane, Payload: h.Encode()}, nil
}

// End ends what is not to be sent any more of a chunk whose task waits: what is
// canceled or has expired. A run that begins meanwhile comes too late, or this does.
func (d *Dispatcher) End(ctx context.Context, lane string, l queue.Lost) error {
	h := wire.Header{Version: wire.HeaderVersion, Job: l.Job(), App: l.App, Chunk: l.Chunk, Tokens: l.Tokens, Expires: l.Expires}
	open, err := d.Book.Load(ctx, h)
	if err != nil || open == nil {
		return nil //nolint:nilerr // the task's own run says what is wrong
	}
	vendor, priority := wire.SplitLane(lane)
	c := newClaim(l.Task, h, open, vendor, push.Priority(priority))
	d.sweep(c)
	d.settled(ctx, c)
	return nil
}

// cancelLost ends what is left of a chunk whose task a person deleted.
func (d *Dispatcher) cancelLost(ctx context.Context, lane string, h wire.Header, l queue.Lost, open *ledger.Open) error {
	vendor, priority := wire.SplitLane(lane)
	c := newClaim(l.Task, h, open, vendor, push.Priority(priority))
	d.sweep(c)
	c.endAll(retry.Decision{Outcome: wire.Canceled}, "")
	c.pending()
	if !d.settled(ctx, c) {
		return fmt.Errorf("look after task %s: its tokens could not be counted", l.Task)
	}
	d.Log.Debug().Str("app", h.App).Str("lane", lane).Str("task", l.Task).Msg("a task was deleted by hand: its tokens end canceled")
	return nil
}

// lose ends what nobody can send any more.
func (d *Dispatcher) lose(ctx context.Context, lane string, o wire.Open, reason wire.DeadReason) error {
	n, err := d.Book.Lose(ctx, lane, o, reason)
	if err != nil {
		return err
	}
	if n > 0 {
		vendor, _ := wire.SplitLane(lane)
		d.Meter.Outcome(o.App, vendor, wire.Dead, n)
		d.Log.Error().Str("app", o.App).Str("lane", lane).Str("task", o.Task).Str("reason", string(reason)).Int("tokens", n).
			Msg("tokens were lost with their chunk: they end dead, and nobody can send them again")
	}
	return nil
}

// Adopt lists the work of a task that a producer of an older version enqueued.
func (d *Dispatcher) Adopt(ctx context.Context, lane string, t queue.Task) error {
	h, err := wire.DecodeHeader(t.Payload)
	if err != nil {
		return nil //nolint:nilerr // the task's own run says what is wrong
	}
	open, err := d.Book.Load(ctx, h)
	var corrupt *ledger.CorruptError
	switch {
	case errors.Is(err, wire.ErrNewer), errors.As(err, &corrupt), err == nil && open == nil:
		return nil // the same
	case err != nil:
		return fmt.Errorf("list task %s: %w", t.ID, err)
	}
	vendor, priority := wire.SplitLane(lane)
	return d.list(ctx, lane, newClaim(t.ID, h, open, vendor, push.Priority(priority)))
}

// list has the index of open work list a claim that an older producer's task
// has; a newer one has listed it itself.
func (d *Dispatcher) list(ctx context.Context, lane string, c *claim) error {
	if c.header.Version == wire.HeaderVersion || c.left == 0 {
		return nil
	}
	packed := ""
	if len(c.open.Chunk.Entries) > 1 {
		packed = wire.EncodePackedJobs(c.open.Chunk.Entries)
	}
	err := d.Book.List(ctx, ledger.Listing{
		Lane: lane, Ref: c.open.Ref, Member: c.member(c.left), Gen: c.gen, Expires: c.header.Expires, PackedJobs: packed,
		Job: c.header.Job, Single: c.open.Chunk.Entries[0].Single,
	})
	if err != nil {
		return fmt.Errorf("list task %s: %w", c.task, err)
	}
	return nil
}
