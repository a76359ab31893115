package status

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// page is how many jobs are read at once.
	page = 500
	// Each pass checks at least minPruned ended jobs, and 1/pruneParts of them, for
	// deleted ledgers.
	minPruned, pruneParts = 1000, 200
)

// Keeper maintains the lists of jobs. It must be used by one goroutine only.
type Keeper struct {
	Redis redis.UniversalClient
	Book  *ledger.Store
	// Recovered counts lost work.
	Recovered func(reason string, n int)
	Log       zerolog.Logger

	// rest are the jobs of which the last pass found pending tokens but no chunk,
	// with the number of these tokens.
	rest   map[string]int
	cursor uint64 // where the next prune continues
}

// Passed is called after each pass over all open work. It reads the open jobs of
// more than one token, moves those that have ended, ends tokens that two passes
// found in no chunk, and stores how many jobs are open and stuck.
func (k *Keeper) Passed(ctx context.Context, p queue.Pass) error {
	open, stuck, rest := p.Singles, p.StuckSingles, map[string]int{}
	var errs []error
	for cursor := uint64(0); ; {
		found, next, err := k.Redis.ZScan(ctx, wire.JobsKey, cursor, "", page).Result()
		if err != nil {
			return fmt.Errorf("read the open jobs: %w", err)
		}
		var names []string
		scores := map[string]string{}
		for i := 0; i+1 < len(found); i += 2 { // each job is followed by its score
			names, scores[found[i]] = append(names, found[i]), found[i+1]
		}
		all, err := k.Book.Summaries(ctx, names)
		if err != nil {
			return fmt.Errorf("read the open jobs: %w", err)
		}
		var ended []string
		for i, s := range all {
			switch {
			case !s.Known || s.Single || !s.Ended.IsZero():
				ended = append(ended, names[i])
				continue
			case p.Stuck(s.Job):
				stuck++
			case !s.Enqueuing && s.Pending > 0 && !p.Blind && !p.Seen(s.Job):
				rest[s.Job] = s.Pending
				if k.rest[s.Job] == s.Pending {
					errs = append(errs, k.loseRest(ctx, s))
				}
				stuck++
			}
			open++
		}
		errs = append(errs, k.move(ctx, ended, scores))
		if cursor = next; cursor == 0 {
			break
		}
	}
	k.rest = rest
	errs = append(errs, k.Redis.HSet(ctx, wire.OpenCountKey, wire.FieldOpenJobs, open, wire.FieldStuckJobs, stuck).Err(), k.prune(ctx))
	return errors.Join(errs...)
}

// loseRest ends tokens that are in no chunk: the chunk was lost before its task
// was enqueued, or together with the index of open work.
func (k *Keeper) loseRest(ctx context.Context, s ledger.Summary) error {
	n, err := k.Book.LoseRest(ctx, s.Job, s.Pending)
	if err != nil || n == 0 {
		return err
	}
	if k.Recovered != nil {
		k.Recovered("lost-task", 1)
	}
	k.Log.Error().Str("app", s.App).Str("job", s.Job).Int("tokens", n).
		Msg("tokens of a job were in no chunk: they end dead and cannot be replayed")
	return nil
}

// move moves ended jobs to the list of ended jobs.
func (k *Keeper) move(ctx context.Context, ended []string, scores map[string]string) error {
	if len(ended) == 0 {
		return nil
	}
	_, err := k.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, job := range ended {
			// Not with redis.Z: a score must be written exactly as it was read, not as a float.
			p.Do(ctx, "zadd", wire.EndedJobsKey, scores[job], job)
		}
		for _, job := range ended {
			p.ZRem(ctx, wire.JobsKey, job)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list ended jobs: %w", err)
	}
	return nil
}

// prune removes ended jobs whose ledgers were deleted.
func (k *Keeper) prune(ctx context.Context) error {
	all, err := k.Redis.ZCard(ctx, wire.EndedJobsKey).Result()
	if err != nil {
		return fmt.Errorf("remove ended jobs: %w", err)
	}
	for budget := max(minPruned, all/pruneParts); budget > 0; budget -= page {
		found, next, err := k.Redis.ZScan(ctx, wire.EndedJobsKey, k.cursor, "", page).Result()
		if err != nil {
			return fmt.Errorf("remove ended jobs: %w", err)
		}
		exists := make([]*redis.IntCmd, 0, len(found)/2)
		_, err = k.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := 0; i < len(found); i += 2 {
				exists = append(exists, p.Exists(ctx, wire.JobKey(found[i])))
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("remove ended jobs: %w", err)
		}
		var deleted []any
		for i, cmd := range exists {
			if cmd.Val() == 0 {
				deleted = append(deleted, found[2*i])
			}
		}
		if len(deleted) > 0 {
			if err := k.Redis.ZRem(ctx, wire.EndedJobsKey, deleted...).Err(); err != nil {
				return fmt.Errorf("remove ended jobs: %w", err)
			}
		}
		if k.cursor = next; next == 0 {
			return nil
		}
	}
	return nil
}
