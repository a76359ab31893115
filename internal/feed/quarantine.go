package feed

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/pkg/push/lua"
	"github.com/postrider/postrider/pkg/push/wire"
)

// perMove is how many entries are confirmed or discarded at once.
const perMove = 200

// Quarantine has the entries that the guard keeps out of the feed until an operator
// confirms or discards them. It is safe for concurrent use.
type Quarantine struct {
	Redis redis.UniversalClient
	// Keep is how long a confirmed token is known to be invalid; above 0.
	Keep time.Duration
}

// Filter selects entries. An empty field selects all.
type Filter struct {
	App, Vendor, Job string
	// Code is "vendor/level/code", or only the vendor's own code.
	Code string
	// Since omits entries that were quarantined before it, by Redis's clock.
	Since time.Time
}

func (f *Filter) matches(e *Entry) bool {
	return (f.App == "" || f.App == e.App) &&
		(f.Vendor == "" || f.Vendor == e.Vendor) &&
		(f.Job == "" || f.Job == e.Job) &&
		(f.Code == "" || f.Code == e.Code || f.Code == e.number())
}

// number is the vendor's own code: what follows vendor and level.
func (e *Entry) number() string {
	if parts := strings.SplitN(e.Code, "/", 3); len(parts) == 3 {
		return parts[2]
	}
	return ""
}

// Each calls do with the selected entries, oldest first and in groups that are never
// empty. Entries that are added during the call are omitted. It ends at the first
// error of do, which it returns unchanged.
func (h *Quarantine) Each(ctx context.Context, f Filter, do func([]Entry) error) error {
	end, err := h.Redis.XRevRangeN(ctx, wire.HeldStream, "+", "-", 1).Result()
	if err != nil {
		return fmt.Errorf("read quarantined entries: %w", err)
	}
	if len(end) == 0 {
		return nil
	}
	for from := fromTime(f.Since); ; {
		raw, err := h.Redis.XRangeN(ctx, wire.HeldStream, from, end[0].ID, perMove).Result()
		if err != nil {
			return fmt.Errorf("read quarantined entries: %w", err)
		}
		if len(raw) == 0 {
			return nil
		}
		from = "(" + raw[len(raw)-1].ID
		if all := f.choose(raw); len(all) > 0 {
			if err := do(all); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func (f *Filter) choose(raw []redis.XMessage) []Entry {
	all := make([]Entry, 0, len(raw))
	for _, m := range raw {
		if e := decode(m); f.matches(&e) {
			all = append(all, e)
		}
	}
	return all
}

// Confirm moves the chosen entries into the feed, in their order. Each is moved
// in one step: confirming again, or twice at once, after whatever interruption,
// feeds each once. The count is right also beside an error.
func (h *Quarantine) Confirm(ctx context.Context, f Filter) (int, error) {
	call := coord.CallKey(wire.HeldStream)
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
	if t, err := time.Parse(time.RFC3339, e.At); err == nil && e.Action == actionDelete {
		mark, at = wire.Mark(e.Token), t.UnixMilli()
	}
	return confirmScript.Call().
		Key("quarantine", wire.HeldStream).
		Key("feed", wire.InvalidStream).
		Key("marks", wire.GoneKey(e.App, e.Vendor)).
		Key("call", call).
		Arg("id", e.ID).
		Arg("mark", mark).
		Arg("at", at).
		Arg("keep", int64(h.Keep/time.Second))
}

// actionDelete is the action of tokens that are permanently invalid.
const actionDelete = "delete"

// Discard deletes the selected entries: their tokens count as valid. The count is
// correct even if there is an error.
func (h *Quarantine) Discard(ctx context.Context, f Filter) (int, error) {
	call := coord.CallKey(wire.HeldStream)
	return h.move(ctx, f, "discard", func(ctx context.Context, all []Entry) ([]bool, error) {
		ids := make([]string, len(all))
		for i := range all {
			ids[i] = all[i].ID
		}
		return coord.DeleteEntries(ctx, h.Redis, wire.HeldStream, call, ids)
	})
}

// move calls do with the selected entries, which returns for each whether this call
// moved it, and counts those.
func (h *Quarantine) move(ctx context.Context, f Filter, what string, do func(context.Context, []Entry) ([]bool, error)) (int, error) {
	n := 0
	err := h.Each(ctx, f, func(all []Entry) error {
		// Without cancellation, so that the count is correct.
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
