package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// AdoptedKey exists for adoptingFor while a worker lists the work of old producers,
	// and for adoptedFor after that: workers that start together need not all do it. What
	// such producers enqueue later is listed when it is first loaded.
	adoptingFor = 10 * time.Minute
	adoptedFor  = time.Hour
)

// adopt lists the work of tasks that producers of an older version enqueued
// without listing it. It goes through the tasks of lanes that have more of them
// than listed work.
func (f *Finder) adopt(ctx context.Context) error {
	if f.Adopt == nil {
		return nil
	}
	mine, err := coord.Take(ctx, f.Redis, wire.AdoptedKey, rand.Text(), adoptingFor)
	if err != nil || !mine {
		return err
	}
	lanes, err := knownLanes(ctx, f.Redis, f.Lanes)
	errs := []error{err}
	for _, lane := range lanes {
		if err := f.adoptLane(ctx, lane); err != nil {
			errs = append(errs, fmt.Errorf("list the work of %s: %w", lane, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return errors.Join(err, f.Redis.Del(context.WithoutCancel(ctx), wire.AdoptedKey).Err()) // it is done again
	}
	return f.Redis.Set(ctx, wire.AdoptedKey, "", adoptedFor).Err()
}

func (f *Finder) adoptLane(ctx context.Context, lane string) error {
	members, live, _, err := f.count(ctx, lane)
	if err != nil || members >= live {
		return err
	}
	// From the end that asynq takes from: tasks that are added at the other end meanwhile
	// shift nothing. A task that is taken from this end is listed when it is loaded.
	for _, key := range []string{wire.PendingKey(lane), wire.ActiveKey(lane)} {
		for last := int64(-1); ; last -= lookPage {
			ids, err := f.Redis.LRange(ctx, key, last-lookPage+1, last).Result()
			if err != nil {
				return err
			}
			if err := f.adoptTasks(ctx, lane, ids); err != nil {
				return err
			}
			if len(ids) < lookPage {
				break
			}
		}
	}
	for _, key := range []string{wire.ScheduledKey(lane), wire.RetryKey(lane)} {
		for cursor := uint64(0); ; {
			found, next, err := f.Redis.ZScan(ctx, key, cursor, "", lookPage).Result()
			if err != nil {
				return err
			}
			ids := make([]string, 0, len(found)/2)
			for i := 0; i < len(found); i += 2 {
				ids = append(ids, found[i])
			}
			if err := f.adoptTasks(ctx, lane, ids); err != nil {
				return err
			}
			if cursor = next; cursor == 0 {
				break
			}
		}
	}
	return nil
}

func (f *Finder) adoptTasks(ctx context.Context, lane string, ids []string) error {
	msgs := make([]*redis.StringCmd, len(ids))
	_, err := f.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			msgs[i] = p.HGet(ctx, wire.TaskKey(lane, id), "msg")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	return each(len(msgs), func(i int) error {
		t, _, err := wire.DecodeTask([]byte(msgs[i].Val()))
		if err != nil {
			return nil // not a task of ours, or gone
		}
		if h, err := wire.DecodeHeader(t.Payload); err != nil || h.Version == wire.HeaderVersion {
			return nil // its producer has listed it, or its run reports what is wrong
		}
		return f.Adopt(ctx, lane, Task{ID: t.ID, Payload: t.Payload})
	})
}
