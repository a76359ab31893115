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

// Fence makes every earlier run of the task unable to record anything more and, if
// it has not begun its request, to send anything more. It does nothing if the task
// is no longer ours.
func (d *Dispatcher) Fence(ctx context.Context, t queue.Task, ours func(context.Context) (bool, error)) error {
	h, err := wire.DecodeHeader(t.Payload)
	if err != nil {
		return nil // nobody can work it, so there is no run to fence
	}
	return d.Book.Fence(ctx, h.Chunk, ours)
}

// Lost says what happens to open work whose task no longer exists. If its chunk
// exists, it is to be sent again, with the task that Lost returns. If a person
// deleted the task, its tokens end canceled, and what cannot be sent ends dead.
// The error wraps wire.ErrNewer if only a newer version knows what to do.
func (d *Dispatcher) Lost(ctx context.Context, lane string, l queue.Lost) (again *wire.Task, err error) {
	o := l.Open
	h := wire.Header{Version: wire.HeaderVersion, Job: o.Job(), App: o.App, Chunk: o.Chunk, Tokens: o.Tokens, Expires: l.Expires}
	open, err := d.Book.Load(ctx, h)
	var corrupt *ledger.CorruptError
	switch {
	case errors.As(err, &corrupt):
		return nil, d.lose(ctx, lane, o, wire.DeadUnreadable)
	case err != nil:
		return nil, fmt.Errorf("recover task %s: %w", o.Task, err)
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

// End ends the tokens of a chunk whose task waits that are no longer to be sent:
// canceled and expired ones. If a run begins meanwhile, one of the two comes too
// late, and changes nothing.
func (d *Dispatcher) End(ctx context.Context, lane string, l queue.Lost) error {
	h := wire.Header{Version: wire.HeaderVersion, Job: l.Job(), App: l.App, Chunk: l.Chunk, Tokens: l.Tokens, Expires: l.Expires}
	open, err := d.Book.Load(ctx, h)
	if err != nil || open == nil {
		return nil // the task's own run says what is wrong
	}
	c := newClaim(l.Task, h, open, lane)
	c.endUnsendable(d.Now())
	d.recorder.recordAll(ctx, c)
	return nil
}

// cancelLost ends what is left of a chunk whose task a person deleted.
func (d *Dispatcher) cancelLost(ctx context.Context, lane string, h wire.Header, l queue.Lost, open *ledger.Open) error {
	c := newClaim(l.Task, h, open, lane)
	c.endUnsendable(d.Now())
	c.endAll(retry.Decision{Outcome: wire.Canceled}, "")
	c.touch() // so that a chunk with nothing left is removed
	if !d.recorder.recordAll(ctx, c) {
		return fmt.Errorf("recover task %s: its tokens could not be counted", l.Task)
	}
	d.Log.Debug().Str("app", h.App).Str("lane", lane).Str("task", l.Task).Msg("a task was deleted by hand: its tokens end canceled")
	return nil
}

// lose ends what is left of a chunk that can no longer be sent.
func (d *Dispatcher) lose(ctx context.Context, lane string, o wire.Open, reason wire.DeadReason) error {
	n, err := d.Book.Lose(ctx, lane, o, reason)
	if err != nil {
		return err
	}
	if n > 0 {
		vendor, _ := wire.SplitLane(lane)
		d.Meter.Outcome(o.App, vendor, wire.Dead, n)
		d.Log.Error().Str("app", o.App).Str("lane", lane).Str("task", o.Task).Str("reason", string(reason)).Int("tokens", n).
			Msg("tokens were lost with their chunk: they end dead and cannot be sent again")
	}
	return nil
}

// Adopt adds a task that a producer of an older version enqueued to the index of
// open work.
func (d *Dispatcher) Adopt(ctx context.Context, lane string, t queue.Task) error {
	h, err := wire.DecodeHeader(t.Payload)
	if err != nil {
		return nil // the task's own run says what is wrong
	}
	open, err := d.Book.Load(ctx, h)
	var corrupt *ledger.CorruptError
	switch {
	case errors.Is(err, wire.ErrNewer), errors.As(err, &corrupt), err == nil && open == nil:
		return nil // as above
	case err != nil:
		return fmt.Errorf("list task %s: %w", t.ID, err)
	}
	return d.list(ctx, lane, newClaim(t.ID, h, open, lane))
}

// list adds a claim to the index of open work if an older producer enqueued its
// task. A newer one has added it itself.
func (d *Dispatcher) list(ctx context.Context, lane string, c *claim) error {
	left := c.remaining()
	if c.header.Version == wire.HeaderVersion || left == 0 {
		return nil
	}
	packed := ""
	if len(c.open.Chunk.Entries) > 1 {
		packed = wire.EncodePackedJobs(c.open.Chunk.Entries)
	}
	err := d.Book.List(ctx, ledger.Listing{
		Lane: lane, Ref: c.open.Ref, Member: c.member(left), Gen: c.generation(), Expires: c.header.Expires, PackedJobs: packed,
		Job: c.header.Job, Single: c.open.Chunk.Entries[0].Single,
	})
	if err != nil {
		return fmt.Errorf("list task %s: %w", c.task, err)
	}
	return nil
}
