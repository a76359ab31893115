package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
)

// Fence has every earlier run of the task record nothing more and, if it has
// not begun its request, send nothing more either. It does nothing if the task
// is no longer ours.
func (d *Dispatcher) Fence(ctx context.Context, t queue.Task, ours func(context.Context) (bool, error)) error {
	h, err := wire.DecodeHeader(t.Payload)
	if err != nil {
		return nil // nobody can work it, so there is nothing to shut out
	}
	return d.Book.Fence(ctx, h.Chunk, ours)
}

// buriedAtOnce is how many archived tasks are ended at once.
const buriedAtOnce = 32

// Bury ends what archived tasks carry: they do not run again, and asynq forgets
// them in time. What is left of their tokens becomes dead letters with the
// task's reason, but for those whose job was canceled or has expired. Chunks
// that cannot be read stay where they are.
func (d *Dispatcher) Bury(ctx context.Context, lane string, all []queue.Archived) error {
	headers, refs, corpses := make([]wire.Header, 0, len(all)), make([]string, 0, len(all)), all[:0:0]
	for _, c := range all {
		if h, err := wire.DecodeHeader(c.Payload); err == nil {
			headers, refs, corpses = append(headers, h), append(refs, h.Chunk), append(corpses, c)
		}
	}
	left, err := d.Book.Left(ctx, refs)
	if err != nil {
		return err
	}
	var buried atomic.Int64
	errs := make([]error, len(corpses)) // one chunk's do not keep the others from their end
	var g errgroup.Group
	g.SetLimit(buriedAtOnce)
	for i, c := range corpses {
		if !left[i] {
			continue
		}
		g.Go(func() error {
			if err := d.buryTask(ctx, lane, headers[i], c); err != nil {
				errs[i] = fmt.Errorf("bury task %s: %w", c.ID, err)
			} else {
				buried.Add(1)
			}
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	if n := buried.Load(); n > 0 {
		d.Log.Warn().Str("lane", lane).Int64("tasks", n).Msg("archived tasks have ended: what they carried is in dead letters: see enqueue dead list")
	}
	return errors.Join(errs...)
}

func (d *Dispatcher) buryTask(ctx context.Context, lane string, h wire.Header, t queue.Archived) error {
	open, err := d.Book.Load(ctx, h)
	var corrupt *ledger.CorruptError
	switch {
	case errors.As(err, &corrupt):
		return d.lose(ctx, lane, wire.OpenOf(t.ID, h), wire.DeadUnreadable)
	case errors.Is(err, wire.ErrNewer):
		return nil // a newer version may bury it
	case err != nil || open == nil:
		return err
	}
	vendor, priority := wire.SplitLane(lane)
	c := newClaim(t.ID, h, open, vendor, push.Priority(priority))
	d.sweep(c)
	c.bury(t.Reason, t.Detail)
	if !d.settled(ctx, c) {
		return errors.New("its dead letters could not be written")
	}
	d.Meter.Recovered("archived", 1)
	d.Log.Debug().Str("app", h.App).Str("lane", lane).Str("task", t.ID).Str("reason", string(t.Reason)).Str("detail", t.Detail).Int("tokens", c.dead).
		Msg("what an archived task carried is now in dead letters: see enqueue dead list")
	return nil
}

// bury ends all that is left of the chunk.
func (c *claim) bury(reason wire.DeadReason, detail string) {
	c.endAll(retry.Decision{Outcome: wire.Dead, Reason: reason}, detail)
}

// endAll gives all that is left of the chunk the same outcome.
func (c *claim) endAll(as retry.Decision, detail string) {
	first := 0
	for i, e := range c.open.Chunk.Entries {
		for j, token := range e.Tokens {
			if c.states[first+j] != wire.Resolved {
				c.endWith(i, first+j, token, as, nil, detail)
			}
		}
		first += len(e.Tokens)
	}
}
