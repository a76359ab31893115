package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
)

// archivedAtOnce is how many archived tasks are ended at once.
const archivedAtOnce = 32

// EndArchived ends what archived tasks carry: they do not run again, and asynq
// forgets them in time. What is left of their tokens is written to the dead
// letters with the task's reason, except tokens whose job was canceled or has
// expired. Chunks that cannot be read stay where they are.
func (d *Dispatcher) EndArchived(ctx context.Context, lane string, all []queue.Archived) error {
	headers, refs, tasks := make([]wire.Header, 0, len(all)), make([]string, 0, len(all)), all[:0:0]
	for _, t := range all {
		if h, err := wire.DecodeHeader(t.Payload); err == nil {
			headers, refs, tasks = append(headers, h), append(refs, h.Chunk), append(tasks, t)
		}
	}
	left, err := d.Book.Left(ctx, refs)
	if err != nil {
		return err
	}
	var ended atomic.Int64
	errs := make([]error, len(tasks)) // an error of one task does not stop the others
	var g errgroup.Group
	g.SetLimit(archivedAtOnce)
	for i, t := range tasks {
		if !left[i] {
			continue
		}
		g.Go(func() error {
			if err := d.endArchived(ctx, lane, headers[i], t); err != nil {
				errs[i] = fmt.Errorf("end archived task %s: %w", t.ID, err)
			} else {
				ended.Add(1)
			}
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	if n := ended.Load(); n > 0 {
		d.Log.Warn().Str("lane", lane).Int64("tasks", n).Msg("archived tasks have ended: what they carried is in dead letters: see enqueue dead list")
	}
	return errors.Join(errs...)
}

func (d *Dispatcher) endArchived(ctx context.Context, lane string, h wire.Header, t queue.Archived) error {
	open, err := d.Book.Load(ctx, h)
	var corrupt *ledger.CorruptError
	switch {
	case errors.As(err, &corrupt):
		return d.lose(ctx, lane, wire.OpenOf(t.ID, h), wire.DeadUnreadable)
	case errors.Is(err, wire.ErrNewer):
		return nil // a newer version may end it
	case err != nil || open == nil:
		return err
	}
	c := newClaim(t.ID, h, open, lane)
	c.endUnsendable(d.Now())
	c.endAll(retry.Decision{Outcome: wire.Dead, Reason: t.Reason}, t.Detail)
	if !d.recorder.recordAll(ctx, c) {
		return errors.New("its dead letters could not be written")
	}
	d.Meter.Recovered("archived", 1)
	d.Log.Debug().Str("app", h.App).Str("lane", lane).Str("task", t.ID).Str("reason", string(t.Reason)).Str("detail", t.Detail).Int("tokens", c.dead).
		Msg("what an archived task carried is now in dead letters: see enqueue dead list")
	return nil
}
