package deadletter

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/lua"
	"github.com/postrider/postrider/pkg/push/wire"
)

//go:embed replay.lua
var scripts embed.FS

var replayScript = lua.Load(scripts, "replay.lua")

// grace is how long a job's keys are kept after its expiry, as for a job that is
// enqueued.
const grace = 7 * 24 * time.Hour

// longest is how long keys are kept in Redis at most, which overflows for the year
// 9999.
const longest = 100 * 365 * 24 * time.Hour

// Left is an entry that was not replayed, and why. It stays in the stream.
type Left struct{ ID, Job, Reason string }

// Replay sends the tokens of the chosen entries again, with their jobs' settings and
// ids. An entry whose job has expired gets the lifetime that the job had; expires, if
// it is not zero, is when all of them expire.
//
// Each entry is moved in one step: replaying again, or twice at once, after any
// interruption, sends each token once. The count is right also if there is an error.
func (s *Store) Replay(ctx context.Context, f wire.EntryFilter, expires time.Time) (Sum, []Left, error) {
	var sum Sum
	var left []Left
	name := coord.CallKey(wire.DeadStream)
	err := s.pages(ctx, f, func(all []Entry) error {
		moved, err := s.move(ctx, name, all, expires)
		for i, m := range moved {
			switch m {
			case "ok":
				sum.add(&all[i])
			case "gone", "": // another caller moved it; it was not tried
			default:
				left = append(left, Left{all[i].ID, all[i].Job, m})
			}
		}
		return err
	})
	return sum, left, err
}

// move replays entries in one round trip, and returns the result of each: "ok",
// "gone", "" if it was not tried, or why it stays. name is that of the whole replay.
func (s *Store) move(ctx context.Context, name string, all []Entry, expires time.Time) ([]string, error) {
	ctx = context.WithoutCancel(ctx) // a page is completed, so that the count is right
	out := make([]string, len(all))
	var calls []*lua.Call
	var which []int // of each call: its entry
	now := s.now()
	for i := range all {
		c, err := newCall(name, &all[i], now, expires)
		if err != nil {
			out[i] = err.Error()
			continue
		}
		calls, which = append(calls, c), append(which, i)
	}
	cmds, err := lua.RunAll(ctx, s.Redis, calls)
	for i, cmd := range cmds {
		if cmd.Err() == nil {
			out[which[i]], _ = cmd.Text()
		}
	}
	if err != nil {
		return out, fmt.Errorf("replay dead letters: %w", err)
	}
	return out, nil
}

// newCall makes the entry's new chunk and task. An error says why the entry
// cannot be replayed.
func newCall(name string, e *Entry, now, expires time.Time) (*lua.Call, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	start, expires := life(e, now, expires)
	entry := wire.Entry{
		Job: e.Job, AtMostOnce: e.Delivery == string(push.AtMostOnce),
		Start: start.UnixMilli(), Expires: expires.UnixMilli(), Tokens: e.List(),
	}
	many, err := chunk(e, entry)
	if err != nil {
		return nil, err
	}
	single := many
	if len(entry.Tokens) == 1 {
		entry.Single = true
		if single, err = chunk(e, entry); err != nil {
			return nil, err
		}
	}
	task, h := e.task(start, expires)
	ttl := min(expires.Sub(now), longest) + grace
	return replayScript.Call().
		Key("dead", wire.DeadStream).
		Key("ledger", wire.JobKey(e.Job)).
		Key("chunk", wire.ChunkKey(e.ref())).
		Key("queues", wire.AsynqQueues).
		Key("task", wire.TaskKey(task.Queue, task.ID)).
		Key("list", wire.PendingKey(task.Queue)).
		Key("call", name).
		Key("open_work", wire.OpenKey(task.Queue)).
		Key("open_jobs", wire.JobsKey).
		Arg("entry", e.ID).
		Arg("tokens", e.Count()).
		Arg("app", e.App).
		Arg("now", now.Unix()).
		Arg("nanos", now.UnixNano()).
		Arg("ttl", int64(ttl/time.Second)).
		Arg("bytes", many).
		Arg("bytes_single", single).
		Arg("lane", task.Queue).
		Arg("id", task.ID).
		Arg("msg", task.Encode()).
		Arg("member", wire.OpenOf(task.ID, h).Encode()).
		Arg("score", h.Expires).
		Arg("job", e.Job), nil
}

// check refuses what a worker could not send, or what no worker would take.
func (e *Entry) check() error {
	switch {
	case e.Version > wire.DeadVersion:
		return fmt.Errorf("it is of version %d: %w", e.Version, wire.ErrNewer)
	case e.Vars != "":
		return fmt.Errorf("it has variables: %w", wire.ErrNewer)
	case e.Key != "" && !wire.IsKey(e.Key):
		return errors.New("its key is not 32 hex digits")
	case e.App == "" || e.Vendor == "" || e.Job == "" || e.Message == "":
		return errors.New("it lacks its app, vendor, job or message")
	case slices.Contains(e.List(), ""):
		return errors.New("it has an empty token")
	case e.Priority != "" && !slices.Contains(push.Priorities(), push.Priority(e.Priority)):
		return fmt.Errorf("its priority %q is unknown", e.Priority)
	}
	return nil
}

// chunk encodes an entry's chunk. Its tokens may have been sent before, so it begins
// like a chunk of which a step was recorded: they keep their idempotency key, and
// share no request with another job's tokens.
func chunk(e *Entry, entry wire.Entry) ([]byte, error) {
	c := wire.Chunk{
		Gen: 1, Messages: []string{e.Message}, Entries: []wire.Entry{entry}, States: make([]byte, len(entry.Tokens)),
	}
	if e.Key != "" {
		c.Tail.Keys = slices.Repeat([]string{e.Key}, len(entry.Tokens))
	}
	return c.Encode()
}

// life is when the entry's tokens may be sent first and when they expire: the rest of
// the job's lifetime or, if that is over or another end was asked for, a new one. The
// start matters, too: the vendor keeps a message for its TTL from then on.
func life(e *Entry, now, expires time.Time) (time.Time, time.Time) {
	switch {
	case !expires.IsZero():
		return now, expires
	case now.Before(e.Expires) && !e.Start.IsZero():
		return e.Start, e.Expires
	case now.Before(e.Expires):
		return now, e.Expires
	}
	length := e.Expires.Sub(e.Start)
	if length <= 0 || e.Start.IsZero() || e.Expires.IsZero() {
		length = push.DefaultTTL
	}
	return now, now.Add(min(length, longest))
}

// ref is the reference of the entry's new chunk. An entry's id is never used again,
// so the reference is unique.
func (e *Entry) ref() string { return wire.JobChunk(e.Job, e.Vendor+":"+e.ID) }

func (e *Entry) task(start, expires time.Time) (wire.Task, wire.Header) {
	h := wire.Header{
		Job: e.Job, App: e.App, Chunk: e.ref(), Tokens: e.Count(),
		Message: push.Digest(e.App, []byte(e.Message)), Start: start.UnixMilli(), Expires: expires.Unix(),
	}
	return wire.Task{
		ID:      wire.TaskID(e.Job+".replay", e.Vendor+":"+e.ID),
		Queue:   wire.Lane(e.Vendor, cmp.Or(e.Priority, string(push.Normal))),
		Payload: h.Encode(),
	}, h
}
