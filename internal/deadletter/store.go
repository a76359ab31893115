package deadletter

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/pkg/push/wire"
)

// page is how many entries are read at once: a full entry has a thousand tokens, which
// are about 130 KB.
const page = 50

// Store reads and empties the dead letters. It is safe for concurrent use.
type Store struct {
	Redis redis.UniversalClient
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// Each calls do for the chosen entries, the oldest first; entries that are added
// meanwhile are left out. It ends at the first error of do, and returns that as it is.
func (s *Store) Each(ctx context.Context, f wire.EntryFilter, do func(*Entry) error) error {
	return s.pages(ctx, f, func(all []Entry) error {
		for i := range all {
			if err := do(&all[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// pages calls do with the chosen entries in groups that are never empty.
func (s *Store) pages(ctx context.Context, f wire.EntryFilter, do func([]Entry) error) error {
	return coord.EachPage(ctx, s.Redis, wire.DeadStream, f.First(), page, func(raw []redis.XMessage) error {
		if all := choose(f, raw); len(all) > 0 {
			return do(all)
		}
		return nil
	})
}

// Newest reads the last n entries, the newest first, and returns how many there are in
// total.
func (s *Store) Newest(ctx context.Context, n int64) ([]Entry, int64, error) {
	total, err := s.Redis.XLen(ctx, wire.DeadStream).Result()
	if err != nil {
		return nil, 0, fmt.Errorf("count dead letters: %w", err)
	}
	raw, err := s.Redis.XRevRangeN(ctx, wire.DeadStream, "+", "-", n).Result()
	if err != nil {
		return nil, 0, fmt.Errorf("read dead letters: %w", err)
	}
	return choose(wire.EntryFilter{}, raw), total, nil
}

func choose(f wire.EntryFilter, raw []redis.XMessage) []Entry {
	all := make([]Entry, 0, len(raw))
	for _, m := range raw {
		if e := decode(m.ID, m.Values); f.Matches(e.App, e.Vendor, e.Job, e.Code) {
			all = append(all, e)
		}
	}
	return all
}

// Get reads one entry. The error wraps ErrUnknown if there is none with the id.
func (s *Store) Get(ctx context.Context, id string) (Entry, error) {
	if err := CheckID(id); err != nil {
		return Entry{}, err
	}
	raw, err := s.Redis.XRangeN(ctx, wire.DeadStream, id, id, 1).Result()
	if err != nil {
		return Entry{}, fmt.Errorf("read dead letter %s: %w", id, err)
	}
	if len(raw) == 0 {
		return Entry{}, fmt.Errorf("dead letter %s: %w", id, ErrUnknown)
	}
	return decode(raw[0].ID, raw[0].Values), nil
}

// Sum counts what was replayed or purged.
type Sum struct {
	Entries int `json:"entries"`
	Tokens  int `json:"tokens"`
}

func (s *Sum) add(e *Entry) {
	s.Entries++
	s.Tokens += e.Count()
}

// Purge deletes the chosen entries. The count is right also if there is an error.
func (s *Store) Purge(ctx context.Context, f wire.EntryFilter) (Sum, error) {
	var sum Sum
	name := coord.CallKey(wire.DeadStream)
	err := s.pages(ctx, f, func(all []Entry) error {
		ids := make([]string, len(all))
		for i := range all {
			ids[i] = all[i].ID
		}
		// A page is completed although ctx ends, so that the count is right.
		deleted, err := coord.DeleteEntries(context.WithoutCancel(ctx), s.Redis, wire.DeadStream, name, ids)
		for i, mine := range deleted {
			if mine {
				sum.add(&all[i])
			}
		}
		if err != nil {
			return fmt.Errorf("purge dead letters: %w", err)
		}
		return nil
	})
	return sum, err
}
