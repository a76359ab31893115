// Package ledger keeps the ledgers of jobs: it reads a chunk with the state of its
// jobs, records in one atomic step what happened to its tokens, cancels a job, and
// reads its balance. It also writes the feed of invalid tokens, and the quarantine of
// entries that the guard keeps out of it. It does not know what a code means or when
// to try again.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// DefaultKeep is how long a finished job's ledger is kept.
const DefaultKeep = 7 * 24 * time.Hour

// singleKeep is how long that of a job with one token is kept.
const singleKeep = 24 * time.Hour

// Store reads and writes ledgers and chunks. It is safe for concurrent use.
type Store struct {
	Redis redis.UniversalClient
	// Together, if not nil, sends the commands of many goroutines in one round trip: a
	// client whose results are awaited when they are read. It is used where commands and
	// replies are small.
	Together redis.Cmdable
	// Keep is how long a finished job's ledger is kept; 0: DefaultKeep.
	Keep time.Duration
	// Guard quarantines entries when a vendor calls nearly everything invalid. The zero
	// Guard quarantines none.
	Guard Guard
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *Store) keep() time.Duration {
	if s.Keep <= 0 {
		return DefaultKeep
	}
	return s.Keep
}

// CorruptError says that a chunk exists but cannot be read, and why.
type CorruptError struct {
	Chunk string
	Err   error
}

// Error names the chunk.
func (e *CorruptError) Error() string { return fmt.Sprintf("load chunk %s: %v", e.Chunk, e.Err) }

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Err }

// Open is a chunk as it was read.
type Open struct {
	Ref   string
	Chunk *wire.Chunk
	// Message is the message of entries that refer to the job's own.
	Message string
	// Canceled reports for each entry whether its job was canceled; Settled,
	// whether its single token already has its outcome.
	Canceled, Settled []bool
}

// fewTokens is how many tokens a chunk may have to be loaded together with others:
// replies on the same connection wait for each other.
const fewTokens = 50

// Load reads the chunk of a task; nil: it is gone.
func (s *Store) Load(ctx context.Context, h wire.Header) (*Open, error) {
	var chunk, message, single, state *redis.StringCmd
	s.ask(ctx, h.Tokens, func(p redis.Cmdable) {
		chunk = p.Get(ctx, wire.ChunkKey(h.Chunk))
		if h.Job != "" {
			message = p.Get(ctx, wire.MessageKey(h.Job))
			// One of the two fails with WRONGTYPE; only the chunk reports which one.
			single, state = p.Get(ctx, wire.JobKey(h.Job)), p.HGet(ctx, wire.JobKey(h.Job), wire.FieldState)
		}
	})
	raw, err := chunk.Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if h.Job != "" {
		err = errors.Join(err, fault(message, single, state))
	}
	if err != nil {
		return nil, fmt.Errorf("load chunk %s: %w", h.Chunk, err)
	}
	c, err := wire.DecodeChunk(raw)
	if errors.Is(err, wire.ErrNewer) {
		return nil, fmt.Errorf("load chunk %s: %w", h.Chunk, err)
	}
	if err != nil {
		return nil, &CorruptError{Chunk: h.Chunk, Err: err}
	}
	if slices.ContainsFunc(c.Entries, func(e wire.Entry) bool { return e.Vars != nil }) {
		// A later version writes them; this one would send the message without its values.
		return nil, fmt.Errorf("load chunk %s: variables: %w", h.Chunk, wire.ErrNewer)
	}
	o := &Open{Ref: h.Chunk, Chunk: c, Canceled: make([]bool, len(c.Entries)), Settled: make([]bool, len(c.Entries))}
	if h.Job == "" {
		return o, s.loadJobs(ctx, o)
	}
	o.Message = message.Val()
	o.note(0, single.Val(), state.Val())
	if c.Entries[0].Message < 0 && o.Message == "" {
		return nil, &CorruptError{Chunk: h.Chunk, Err: errors.New("the job's message is gone")}
	}
	return o, nil
}

// ask sends commands in one round trip.
func (s *Store) ask(ctx context.Context, tokens int, questions func(redis.Cmdable)) {
	if s.Together != nil && tokens <= fewTokens {
		questions(s.Together)
		return
	}
	pipe := s.Redis.Pipeline()
	questions(pipe)
	_, _ = pipe.Exec(ctx) // errors are checked per command below
}

// fault is the first error, except those that say that a key is absent or of another
// type.
func fault(cmds ...*redis.StringCmd) error {
	for _, c := range cmds {
		if err := c.Err(); err != nil && !errors.Is(err, redis.Nil) && !redis.HasErrorPrefix(err, "WRONGTYPE") {
			return err
		}
	}
	return nil
}

// loadJobs reads the state of the jobs of a shared chunk.
func (s *Store) loadJobs(ctx context.Context, o *Open) error {
	cmds := make([]*redis.StringCmd, len(o.Chunk.Entries))
	s.ask(ctx, len(cmds), func(p redis.Cmdable) {
		for i, e := range o.Chunk.Entries {
			if e.Single {
				cmds[i] = p.Get(ctx, wire.JobKey(e.Job))
			} else {
				cmds[i] = p.HGet(ctx, wire.JobKey(e.Job), wire.FieldState)
			}
		}
	})
	for i, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return fmt.Errorf("load jobs of chunk %s: %w", o.Ref, err)
		}
		o.note(i, cmd.Val(), cmd.Val())
	}
	return nil
}

// note reads an entry's ledger: the whole string, or the state.
func (o *Open) note(i int, single, state string) {
	if !o.Chunk.Entries[i].Single {
		o.Canceled[i] = state == wire.Canceling
		return
	}
	l, err := wire.DecodeSingle(single)
	if err != nil {
		return
	}
	o.Canceled[i] = l.Canceling
	o.Settled[i] = l.Outcome != wire.Pending
}
