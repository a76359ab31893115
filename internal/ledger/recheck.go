package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Ref names a job's ledger and its form.
type Ref struct {
	Job string
	// Single says that the job has one token only: its ledger is a string.
	Single bool
}

// Loaded is a chunk that a run has loaded, and the jobs for which it is about to send.
type Loaded struct {
	Chunk string
	// Gen is the generation that the run's last recorded step wrote.
	Gen  uint32
	Jobs []Ref
}

// Why a run may not send.
const (
	TakenOver = "another worker took this chunk over"
	Canceled  = "a job of this request was canceled"
)

// Recheck returns "" if no other worker took one of the chunks over and none of the jobs
// was canceled, else the reason, in one round trip. A job without a ledger was not
// canceled.
func (s *Store) Recheck(ctx context.Context, loaded []Loaded) (why string, err error) {
	gens, jobs := make([]*redis.StringCmd, len(loaded)), []*redis.StringCmd(nil)
	_, _ = s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error { // errors are checked per command below
		for i, h := range loaded {
			gens[i] = p.GetRange(ctx, wire.ChunkKey(h.Chunk), wire.GenOffset, wire.GenOffset+wire.GenLength-1)
			for _, j := range h.Jobs {
				if j.Single {
					jobs = append(jobs, p.Get(ctx, wire.JobKey(j.Job)))
				} else {
					jobs = append(jobs, p.HGet(ctx, wire.JobKey(j.Job), wire.FieldState))
				}
			}
		}
		return nil
	})
	for i, h := range loaded {
		gen, err := gens[i].Bytes()
		if err != nil {
			return "", fmt.Errorf("look for chunk %s: %w", h.Chunk, err)
		}
		if len(gen) != wire.GenLength || fenced(h.Gen, binary.BigEndian.Uint32(gen)) {
			why = TakenOver
		}
		for _, j := range h.Jobs {
			canceled, err := canceled(j, jobs[0])
			if err != nil {
				return "", err
			}
			if canceled && why == "" {
				why = Canceled
			}
			jobs = jobs[1:]
		}
	}
	return why, nil
}

func canceled(j Ref, state *redis.StringCmd) (bool, error) {
	v, err := state.Result()
	if err != nil && !errors.Is(err, redis.Nil) && !redis.HasErrorPrefix(err, "WRONGTYPE") {
		return false, fmt.Errorf("look whether job %s was canceled: %w", j.Job, err)
	}
	if !j.Single {
		return v == wire.Canceling, nil
	}
	l, err := wire.DecodeSingle(v)
	return err == nil && l.Canceling, nil
}

// Canceled reports whether a job was canceled; a job without a ledger was not.
func (s *Store) Canceled(ctx context.Context, job string) (bool, error) {
	state := s.Redis.HGet(ctx, wire.JobKey(job), wire.FieldState)
	if redis.HasErrorPrefix(state.Err(), "WRONGTYPE") {
		return canceled(Ref{Job: job, Single: true}, s.Redis.Get(ctx, wire.JobKey(job)))
	}
	return canceled(Ref{Job: job}, state)
}
