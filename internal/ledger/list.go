package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Listing is open work that an older producer did not list.
type Listing struct {
	Lane, Ref, Member string
	Gen               uint32 // the chunk's, as it was loaded
	Expires           int64  // Unix second
	PackedJobs        string // what wire.PackJobsKey is to hold; "": the chunk is not shared
	// Job is the chunk's only job, or ""; Single: it has one token.
	Job    string
	Single bool
}

// List lists open work, and its job if that has more than one token. It does nothing
// if a step was recorded since the chunk was loaded: that step listed it.
func (s *Store) List(ctx context.Context, l Listing) error {
	listed, err := listScript.Call().
		Key("chunk", wire.ChunkKey(l.Ref)).
		Key("open_work", wire.OpenKey(l.Lane)).
		Key("chunk_jobs", wire.PackJobsKey(l.Ref)).
		Arg("generation", wire.Head(l.Gen, 0)[:wire.GenLength]).
		Arg("member", l.Member).
		Arg("score", l.Expires).
		Arg("jobs", l.PackedJobs).
		Run(ctx, s.Redis).Bool()
	if err != nil {
		return fmt.Errorf("list chunk %s: %w", l.Ref, err)
	}
	if !listed || l.Single || l.Job == "" {
		return nil
	}
	created, err := s.Redis.HGet(ctx, wire.JobKey(l.Job), wire.FieldCreated).Result()
	if errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list job %s: %w", l.Job, err)
	}
	at, err := strconv.ParseInt(created, 10, 64)
	if err != nil {
		at = s.now().Unix()
	}
	if err := s.Redis.ZAddNX(ctx, wire.JobsKey, redis.Z{Score: float64(at), Member: l.Job}).Err(); err != nil {
		return fmt.Errorf("list job %s: %w", l.Job, err)
	}
	return nil
}
