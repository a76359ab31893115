package queue

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// page checks some members: one error does not stop the others. If p is not nil, they
// are counted there.
func (f *Finder) page(ctx context.Context, lane string, now time.Time, all []Lost, canceled map[string]bool, p *pass) error {
	if len(all) == 0 {
		return nil
	}
	states, err := taskStates(ctx, f.Redis, lane, all)
	if err != nil {
		return err
	}
	ofCanceled, err := f.ofCanceled(ctx, all, canceled)
	errs := []error{err}
	end := map[string]bool{}
	for _, l := range ofCanceled {
		end[l.Task] = true
	}
	var lost, given, over []Lost
	for i, l := range all {
		switch states[i] {
		case noTask:
			lost = append(lost, l)
		case archived:
			given = append(given, l)
		case active:
		default:
			if l.Expires < now.Unix() || end[l.Task] {
				over = append(over, l)
			}
		}
	}
	errs = append(errs, each(len(over), func(i int) error { return f.End(ctx, lane, over[i]) }))
	stuck, err := f.lost(ctx, lane, now, lost)
	errs = append(errs, err, f.trimmed(ctx, lane, given))
	if p != nil {
		errs = append(errs, p.note(ctx, f.Redis, all, stuck))
	}
	return errors.Join(errs...)
}

// ofCanceled returns the members of jobs that were canceled not long ago.
func (f *Finder) ofCanceled(ctx context.Context, all []Lost, canceled map[string]bool) ([]Lost, error) {
	if len(canceled) == 0 {
		return nil, nil
	}
	var mine []Lost
	packs, err := packedJobs(ctx, f.Redis, all)
	for i, l := range all {
		switch job := l.Job(); {
		case job != "":
			if canceled[job] {
				mine = append(mine, l)
			}
		default:
			for _, j := range packs[i] {
				if canceled[j.Job] {
					mine = append(mine, l)
					break
				}
			}
		}
	}
	return mine, err
}

// lost enqueues each task that is gone again, or ends its tokens. It returns those for
// which neither happened.
func (f *Finder) lost(ctx context.Context, lane string, now time.Time, all []Lost) (stuck []Lost, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	// A task that a person deleted is marked, and the mark was written before the task
	// was deleted.
	marks := make([]*redis.BoolCmd, len(all))
	_, err = f.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, l := range all {
			marks[i] = p.HExists(ctx, wire.DeletedKey(lane), l.Task)
		}
		return nil
	})
	if err != nil {
		return all, err
	}
	left := make([]bool, len(all))
	var found atomic.Int64
	err = each(len(all), func(i int) error {
		if marks[i].Val() {
			return nil
		}
		err := f.again(ctx, lane, now, all[i])
		if left[i] = err != nil; err == nil {
			found.Add(1)
		}
		if errors.Is(err, wire.ErrNewer) {
			return nil
		}
		return err
	})
	if n := int(found.Load()); n > 0 {
		f.recovered("lost-task", n)
		f.Log.Warn().Str("lane", lane).Int("tasks", n).Msg("tasks were lost: their tokens are sent again, or have ended if the chunk was lost, too")
	}
	for i, l := range all {
		if left[i] {
			stuck = append(stuck, l)
		}
	}
	return stuck, err
}

// again enqueues a lost task again, or ends its tokens.
func (f *Finder) again(ctx context.Context, lane string, now time.Time, l Lost) error {
	t, err := f.Lost(ctx, lane, l)
	if err != nil || t == nil {
		return err
	}
	err = againScript.Call().
		Key("task", wire.TaskKey(lane, t.ID)).
		Key("list", wire.PendingKey(lane)).
		Key("open_work", wire.OpenKey(lane)).
		Key("chunk", wire.ChunkKey(l.Chunk)).
		Key("deleted", wire.DeletedKey(lane)).
		Arg("id", t.ID).
		Arg("msg", t.Encode()).
		Arg("nanos", now.UnixNano()).
		Arg("member", l.Encode()).
		Run(ctx, f.Redis).Err()
	if err != nil {
		return fmt.Errorf("enqueue task %s again: %w", t.ID, err)
	}
	return nil
}

func (f *Finder) recovered(reason string, n int) {
	if f.Recovered != nil {
		f.Recovered(reason, n)
	}
}

// trimmed ends the tokens of archived tasks that asynq has deleted from its archive,
// where the sweeper would have found them.
func (f *Finder) trimmed(ctx context.Context, lane string, all []Lost) error {
	if len(all) == 0 || f.EndArchived == nil {
		return nil
	}
	scores := make([]*redis.FloatCmd, len(all))
	_, err := f.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, l := range all {
			scores[i] = p.ZScore(ctx, wire.ArchivedKey(lane), l.Task)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	var ids []string
	for i, l := range all {
		if errors.Is(scores[i].Err(), redis.Nil) {
			ids = append(ids, l.Task)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	dead, err := readArchived(ctx, f.Redis, lane, ids)
	if err == nil {
		err = f.EndArchived(ctx, lane, dead)
	}
	if err != nil {
		return err
	}
	for _, id := range ids {
		err := trimmedScript.Call().
			Key("task", wire.TaskKey(lane, id)).Key("archived", wire.ArchivedKey(lane)).Arg("id", id).
			Run(ctx, f.Redis).Err()
		if err != nil {
			return fmt.Errorf("delete trimmed task %s: %w", id, err)
		}
	}
	return nil
}

// deleted ends the tokens of tasks that a person deleted in our UI.
func (f *Finder) deleted(ctx context.Context, lane string) error {
	var errs []error
	for cursor := uint64(0); ; {
		found, next, err := f.Redis.HScan(ctx, wire.DeletedKey(lane), cursor, "", lookPage).Result()
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		err = each(len(found)/2, func(i int) error { // each id is followed by the task
			return f.deletedTask(ctx, lane, found[2*i], found[2*i+1])
		})
		if err == nil && len(found) > 0 {
			f.Log.Warn().Str("lane", lane).Int("tasks", len(found)/2).Msg("tasks were deleted by hand: their tokens end canceled")
		}
		errs = append(errs, err)
		if cursor = next; cursor == 0 {
			return errors.Join(errs...)
		}
	}
}

// deletedTask ends the tokens of one of them. Its mark is deleted last.
func (f *Finder) deletedTask(ctx context.Context, lane, id, msg string) error {
	var h wire.Header
	t, _, err := wire.DecodeTask([]byte(msg))
	if err == nil {
		h, err = wire.DecodeHeader(t.Payload)
	}
	if errors.Is(err, wire.ErrNewer) {
		return nil // a newer version can read what was deleted
	}
	if err == nil { // else it is not one of our tasks
		_, err := f.Lost(ctx, lane, Lost{Open: wire.OpenOf(id, h), Expires: h.Expires, Deleted: true})
		if errors.Is(err, wire.ErrNewer) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	if err := f.Redis.HDel(ctx, wire.DeletedKey(lane), id).Err(); err != nil {
		return fmt.Errorf("forget deleted task %s: %w", id, err)
	}
	return nil
}
