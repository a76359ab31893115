package feed

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/pkg/push/lua"
	"github.com/postrider/postrider/pkg/push/wire"
)

// perMove is how many quarantined entries are confirmed or discarded at once.
const perMove = 200

// Quarantine reads and empties the quarantine: entries that the guard keeps out of the feed
// until an operator confirms them. It is safe for concurrent use.
type Quarantine struct {
	Redis redis.UniversalClient
	// Keep is how long a confirmed token is known to be invalid, over 0.
	Keep time.Duration
}

// Each calls do with the chosen entries, the oldest first and in groups that are never
// empty; entries that are added meanwhile are left out. It ends at the first error of do,
// and returns that as it is.
func (h *Quarantine) Each(ctx context.Context, f wire.EntryFilter, do func([]Entry) error) error {
	return coord.EachPage(ctx, h.Redis, wire.QuarantineStream, f.First(), perMove, func(raw []redis.XMessage) error {
		all := make([]Entry, 0, len(raw))
		for _, m := range raw {
			if e := decode(m); f.Matches(e.App, e.Vendor, e.Job, e.Code) {
				all = append(all, e)
			}
		}
		if len(all) == 0 {
			return nil
		}
		return do(all)
	})
}

// Confirm moves the chosen entries into the feed, in their order. Each is moved in one
// step: confirming again, or twice at once, after any interruption, moves each once. The
// count is right also if there is an error.
func (h *Quarantine) Confirm(ctx context.Context, f wire.EntryFilter) (int, error) {
	call := coord.CallKey(wire.QuarantineStream)
	return h.move(ctx, f, "confirm", func(ctx context.Context, all []Entry) ([]bool, error) {
		calls := make([]*lua.Call, len(all))
		for i := range all {
			calls[i] = h.confirmCall(call, &all[i])
		}
		cmds, err := lua.RunAll(ctx, h.Redis, calls)
		moved := make([]bool, len(all))
		for i, cmd := range cmds {
			n, err := cmd.Int()
			moved[i] = err == nil && n == 1
		}
		return moved, err
	})
}

func (h *Quarantine) confirmCall(call string, e *Entry) *lua.Call {
	mark, at := "", int64(0)
	if t, err := time.Parse(time.RFC3339, e.At); err == nil && e.Action == wire.ActionDelete {
		mark, at = wire.Mark(e.Token), t.UnixMilli()
	}
	return confirmScript.Call().
		Key("quarantine", wire.QuarantineStream).
		Key("feed", wire.InvalidStream).
		Key("marks", wire.GoneKey(e.App, e.Vendor)).
		Key("call", call).
		Arg("id", e.ID).
		Arg("mark", mark).
		Arg("at", at).
		Arg("keep", int64(h.Keep/time.Second))
}

// Discard deletes the chosen entries: their tokens are sent to as before. The count is
// right also if there is an error.
func (h *Quarantine) Discard(ctx context.Context, f wire.EntryFilter) (int, error) {
	call := coord.CallKey(wire.QuarantineStream)
	return h.move(ctx, f, "discard", func(ctx context.Context, all []Entry) ([]bool, error) {
		ids := make([]string, len(all))
		for i := range all {
			ids[i] = all[i].ID
		}
		return coord.DeleteEntries(ctx, h.Redis, wire.QuarantineStream, call, ids)
	})
}

// move calls do with the chosen entries and counts those for which do returns true: this
// call moved them.
func (h *Quarantine) move(ctx context.Context, f wire.EntryFilter, what string, do func(context.Context, []Entry) ([]bool, error)) (int, error) {
	n := 0
	err := h.Each(ctx, f, func(all []Entry) error {
		// A group is completed although ctx ends, so that the count is right.
		moved, err := do(context.WithoutCancel(ctx), all)
		for _, mine := range moved {
			if mine {
				n++
			}
		}
		if err != nil {
			return fmt.Errorf("%s quarantined entries: %w", what, err)
		}
		return nil
	})
	return n, err
}
