package feed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// page is how many entries are read at once.
	page = 1000
	// blockTime is how long one read waits for new entries. A read cannot be
	// aborted, so Follow may return this long after its context has ended.
	blockTime = time.Second
)

// Entry is an invalid token, for an application to compare and delete.
type Entry struct {
	// ID is the entry's id in the stream; it begins with Unix milliseconds.
	ID     string `json:"id"`
	App    string `json:"app"`
	Vendor string `json:"vendor"`
	Token  string `json:"token"`
	// Code is "vendor/level/code", Reason its meaning by the vendor or the table.
	Code   string `json:"code"`
	Reason string `json:"reason"`
	// Job is the job whose request got the code; "" for receipts without a job and lists.
	Job string `json:"job"`
	// At is the time at which the token was found invalid, in RFC 3339.
	At string `json:"at"`
	// Action is delete, suppress (the token may become reachable again) or replace.
	Action string `json:"action"`
	// Replacement is the new token if Action is replace.
	Replacement string `json:"replacement,omitempty"`
}

func decode(m redis.XMessage) Entry {
	e := wire.DecodeInvalidEntry(m.Values)
	return Entry{
		ID: m.ID, App: e.App, Vendor: e.Vendor, Token: e.Token, Code: e.Code, Reason: e.Reason, Job: e.Job, At: e.At,
		Action: e.Action, Replacement: e.Replacement,
	}
}

// Feed reads the feed. It is safe for concurrent use.
type Feed struct{ Redis redis.UniversalClient }

// Each calls do with the entries, in the feed's order and in groups. Entries before
// since are omitted; zero: none are. It ends after the last entry, or at the first
// error of do, which it returns unchanged.
func (f *Feed) Each(ctx context.Context, since time.Time, do func([]Entry) error) error {
	_, err := f.read(ctx, since, do)
	return err
}

// Follow is Each, and then calls do with new entries until ctx ends. It then
// returns nil.
func (f *Feed) Follow(ctx context.Context, since time.Time, do func([]Entry) error) error {
	last, err := f.read(ctx, since, do)
	for err == nil && ctx.Err() == nil {
		var got []redis.XStream
		got, err = f.Redis.XRead(ctx, &redis.XReadArgs{
			Streams: []string{wire.InvalidStream, last}, Count: page, Block: blockTime,
		}).Result()
		switch {
		case errors.Is(err, redis.Nil):
			err = nil // no new entry
		case err != nil:
			err = fmt.Errorf("follow the feed of invalid tokens: %w", err)
		default:
			last, err = passOn(got[0].Messages, last, do)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// read calls do with the existing entries. It returns the id of the last one, or an
// id before all later entries.
func (f *Feed) read(ctx context.Context, since time.Time, do func([]Entry) error) (string, error) {
	last, from := firstID, wire.FirstEntry(since)
	if ms := since.UnixMilli(); from != "-" {
		last = strconv.FormatInt(ms-1, 10) + "-" + strconv.FormatUint(math.MaxUint64, 10)
	}
	for {
		raw, err := f.Redis.XRangeN(ctx, wire.InvalidStream, from, "+", page).Result()
		if err != nil {
			return last, fmt.Errorf("read the feed of invalid tokens: %w", err)
		}
		if len(raw) == 0 {
			return last, nil
		}
		if last, err = passOn(raw, last, do); err != nil {
			return last, err
		}
		from = "(" + last
	}
}

// passOn calls do with a group, and returns the id after which reading continues.
func passOn(raw []redis.XMessage, last string, do func([]Entry) error) (string, error) {
	if len(raw) == 0 {
		return last, nil
	}
	all := make([]Entry, len(raw))
	for i, m := range raw {
		all[i] = decode(m)
	}
	return all[len(all)-1].ID, do(all)
}
