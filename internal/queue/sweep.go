package queue

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// sweepEvery is how often one of the workers reads the archive.
	sweepEvery = 30 * time.Second
	// sweepBack is how far before the end of the last reading the next begins: the
	// archive's times are those of workers, whose clocks may differ.
	sweepBack = 5 * time.Minute
	sweepPage = 500
)

// Archived is a task in asynq's archive.
type Archived struct {
	Task
	// Reason is DeadPoison or DeadArchived.
	Reason wire.DeadReason
	// Detail is the last error of the task that asynq stored.
	Detail string
}

// sweeper finds the tasks that were archived without the handler: tasks that kill
// their workers, tasks that asynq's recoverer gives up, and tasks that a person
// archives in the UI. endArchived ends their tokens; asynq keeps 10,000 archived tasks of a
// lane and deletes the others.
type sweeper struct {
	rdb         redis.UniversalClient
	every       time.Duration // how often one of the workers sweeps
	lanes       []string
	endArchived func(ctx context.Context, lane string, all []Archived) error
	// swept is up to which Unix second each lane's archive was read.
	swept map[string]int64
}

// sweep handles what was archived since the last call, unless another worker has just
// done so. force: also then.
func (s *sweeper) sweep(ctx context.Context, force bool) error {
	mine, err := coord.Take(ctx, s.rdb, wire.ArchiveSweepKey, rand.Text(), s.every-s.every/30)
	if err != nil {
		return fmt.Errorf("take turns at sweeping the archive: %w", err)
	}
	if !mine && !force {
		return nil
	}
	lanes, err := knownLanes(ctx, s.rdb, s.lanes)
	errs := []error{err} // a fault in one lane does not stop the others
	for _, lane := range lanes {
		if err := s.lane(ctx, lane); err != nil {
			errs = append(errs, fmt.Errorf("sweep the archive of %s: %w", lane, err))
		}
	}
	return errors.Join(errs...)
}

func (s *sweeper) lane(ctx context.Context, lane string) error {
	from := s.swept[lane] - int64(sweepBack/time.Second)
	var errs []error // a fault in one page does not stop the others; they are read again
	for first := int64(0); ; first += sweepPage {
		page, err := s.rdb.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{
			Key: wire.ArchivedKey(lane), ByScore: true, Start: from, Stop: "+inf", Offset: first, Count: sweepPage,
		}).Result()
		if err != nil || len(page) == 0 {
			return errors.Join(append(errs, err)...)
		}
		ids := make([]string, len(page))
		for i, z := range page {
			ids[i], _ = z.Member.(string)
		}
		all, err := readArchived(ctx, s.rdb, lane, ids)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if err := s.endArchived(ctx, lane, all); err != nil {
			errs = append(errs, err)
		}
		if len(errs) > 0 {
			continue
		}
		s.swept[lane] = max(s.swept[lane], int64(page[len(page)-1].Score))
	}
}

// readArchived reads tasks in the archive.
func readArchived(ctx context.Context, rdb redis.UniversalClient, lane string, ids []string) ([]Archived, error) {
	cmds := make([]*redis.SliceCmd, len(ids))
	_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			cmds[i] = p.HMGet(ctx, wire.TaskKey(lane, id), "msg", "crashes")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var all []Archived
	for _, cmd := range cmds {
		msg, _ := cmd.Val()[0].(string)
		crashes, _ := cmd.Val()[1].(string)
		t, lastError, err := wire.DecodeTask([]byte(msg))
		if err != nil {
			continue // not a task of ours, or trimmed meanwhile
		}
		c := Archived{Task: Task{ID: t.ID, Payload: t.Payload}, Reason: wire.DeadArchived, Detail: cmp.Or(lastError, "by hand")}
		if n, err := strconv.Atoi(crashes); err == nil && n >= maxCrashes {
			c.Reason = wire.DeadPoison
		}
		all = append(all, c)
	}
	return all, nil
}
