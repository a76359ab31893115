package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/once"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// lookEvery is how often one of the workers looks for open work whose task
	// was lost, and for jobs that were canceled.
	lookEvery = 5 * time.Second
	// lookAt is how many members of a lane's open work are looked at in any case;
	// all are where there are fewer tasks than members.
	lookAt = 1000
)

// Lost is open work whose task does not come up by itself any more, or not in time.
type Lost struct {
	wire.Open
	Expires int64 // Unix second
	// Deleted: a person deleted the task in our UI.
	Deleted bool
}

// Finder finds open work whose task was lost: deleted by hand, trimmed from
// asynq's archive, or gone in any other way. It is for one goroutine.
type Finder struct {
	Redis redis.UniversalClient
	Lanes []string
	// Lost says what becomes of work whose task is gone: it is sent again with the
	// task that Lost answers, or ends.
	Lost func(ctx context.Context, lane string, l Lost) (*wire.Task, error)
	// End ends what is not to be sent any more of work whose task is there.
	End func(ctx context.Context, lane string, l Lost) error
	// Producers ends what producers that died left half-enqueued; nil: nothing does.
	Producers func(ctx context.Context) error
	// Recovered counts tasks that were lost.
	Recovered func(reason string, n int)
	Log       zerolog.Logger
}

// Look looks at all lanes once. A lane that cannot be looked at does not keep
// it from the others.
func (f *Finder) Look(ctx context.Context) error {
	var errs []error
	now, err := f.Redis.Time(ctx).Result()
	if err != nil {
		return fmt.Errorf("look for lost tasks: %w", err)
	}
	canceled, err := f.canceled(ctx)
	if err != nil {
		errs = append(errs, err)
	}
	for _, lane := range f.Lanes {
		if err := f.lane(ctx, lane, now, canceled); err != nil {
			errs = append(errs, fmt.Errorf("look for lost tasks of %s: %w", lane, err))
		}
	}
	if f.Producers != nil {
		errs = append(errs, f.Producers(ctx))
	}
	if err := errors.Join(errs...); err != nil || len(canceled) == 0 {
		return err
	}
	old := strconv.FormatInt(now.Add(-canceledFor).Unix(), 10)
	if err := f.Redis.ZRemRangeByScore(ctx, wire.CancelingKey, "-inf", old).Err(); err != nil {
		return fmt.Errorf("forget canceled jobs: %w", err)
	}
	return nil
}

// canceledFor is how long the chunks of a canceled job are looked for: what was
// put back meanwhile is found in a later round.
const canceledFor = 30 * time.Second

// canceled are the jobs that were canceled not long ago.
func (f *Finder) canceled(ctx context.Context) (map[string]bool, error) {
	jobs, err := f.Redis.ZRange(ctx, wire.CancelingKey, 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("look for canceled jobs: %w", err)
	}
	all := make(map[string]bool, len(jobs))
	for _, j := range jobs {
		all[j] = true
	}
	return all, nil
}

// lane looks at one lane: at the members that expire first and, where there are
// more members than tasks or a job was canceled, at all of them.
func (f *Finder) lane(ctx context.Context, lane string, now time.Time, canceled map[string]bool) error {
	members, live, err := f.count(ctx, lane)
	if err != nil || members == 0 {
		return err
	}
	all := members > live || len(canceled) > 0
	for first := int64(0); first < members; first += lookAt {
		page, err := f.Redis.ZRangeWithScores(ctx, wire.OpenKey(lane), first, first+lookAt-1).Result()
		if err != nil {
			return err
		}
		if err := f.page(ctx, lane, now, page, canceled); err != nil {
			return err
		}
		if !all {
			return nil
		}
	}
	return nil
}

// count reads in one step how many members and how many tasks a lane has.
func (f *Finder) count(ctx context.Context, lane string) (members, live int64, err error) {
	var open *redis.IntCmd
	var tasks []*redis.IntCmd
	_, err = f.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		open = p.ZCard(ctx, wire.OpenKey(lane))
		tasks = []*redis.IntCmd{
			p.LLen(ctx, wire.PendingKey(lane)), p.LLen(ctx, wire.ActiveKey(lane)),
			p.ZCard(ctx, wire.ScheduledKey(lane)), p.ZCard(ctx, retryKey(lane)),
		}
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	for _, n := range tasks {
		live += n.Val()
	}
	return open.Val(), live, nil
}

// retryKey is asynq's sorted set of a queue's tasks that were put back.
func retryKey(lane string) string { return "asynq:{" + lane + "}:retry" }

// page looks at some members: one error does not keep it from the others.
func (f *Finder) page(ctx context.Context, lane string, now time.Time, page []redis.Z, canceled map[string]bool) error {
	states, archived, deleted := make([]*redis.StringCmd, len(page)), make([]*redis.FloatCmd, len(page)), make([]*redis.BoolCmd, len(page))
	all := make([]Lost, len(page))
	_, err := f.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, z := range page {
			text, _ := z.Member.(string)
			o, err := wire.DecodeOpen(text)
			if err != nil {
				return err
			}
			all[i] = Lost{Open: o, Expires: int64(z.Score)}
			states[i] = p.HGet(ctx, wire.TaskKey(lane, o.Task), "state")
			archived[i] = p.ZScore(ctx, wire.ArchivedKey(lane), o.Task)
			deleted[i] = p.HExists(ctx, wire.DeletedKey(lane), o.Task)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	var errs []error
	for i, l := range all {
		l.Deleted = deleted[i].Val()
		state := states[i].Val()
		orphan := state == "archived" && errors.Is(archived[i].Err(), redis.Nil) // asynq trimmed it
		switch {
		case errors.Is(states[i].Err(), redis.Nil), orphan:
			err = f.lost(ctx, lane, now, l)
		case state != "active" && state != "archived" && (l.Expires < now.Unix() || f.hasCanceled(ctx, l, canceled)):
			err = f.End(ctx, lane, l)
		default:
			err = nil
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// hasCanceled tells whether a job of the chunk was canceled not long ago.
func (f *Finder) hasCanceled(ctx context.Context, l Lost, canceled map[string]bool) bool {
	if len(canceled) == 0 || l.Job() != "" {
		return canceled[l.Job()]
	}
	jobs := wire.DecodePackedJobs(f.Redis.Get(ctx, wire.PackJobsKey(l.Chunk)).Val())
	return slices.ContainsFunc(jobs, func(j wire.PackedJob) bool { return canceled[j.Job] })
}

// layAgainScript enqueues a lost task again, unless it is there, or nothing is
// left of its chunk.
//
//	KEYS: asynq task, asynq pending, asynq archived, open work, chunk
//	ARGV: asynq task id, asynq task, now (ns), member of the open work
var layAgainScript = redis.NewScript(`
if not redis.call('ZSCORE', KEYS[4], ARGV[4]) or redis.call('EXISTS', KEYS[5]) == 0 then return 0 end
local state = redis.call('HGET', KEYS[1], 'state')
if state and (state ~= 'archived' or redis.call('ZSCORE', KEYS[3], ARGV[1])) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'msg', ARGV[2], 'state', 'pending', 'pending_since', ARGV[3])
redis.call('LPUSH', KEYS[2], ARGV[1])
return 1
`)

func (f *Finder) lost(ctx context.Context, lane string, now time.Time, l Lost) error {
	t, err := f.Lost(ctx, lane, l)
	if err != nil {
		return err
	}
	if t != nil {
		keys := []string{wire.TaskKey(lane, t.ID), wire.PendingKey(lane), wire.ArchivedKey(lane), wire.OpenKey(lane), wire.ChunkKey(l.Chunk)}
		if err := layAgainScript.Run(ctx, f.Redis, keys, t.ID, t.Encode(), now.UnixNano(), l.Encode()).Err(); err != nil {
			return fmt.Errorf("enqueue task %s again: %w", t.ID, err)
		}
	}
	if f.Recovered != nil {
		f.Recovered("lost-task", 1)
	}
	return nil
}

// Run looks every few seconds until ctx ends; one worker at a time does.
func (f *Finder) Run(ctx context.Context) {
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	told := ""
	for {
		mine, err := once.Take(ctx, f.Redis, wire.SweepKey, rand.Text(), lookEvery-time.Second/2)
		if err == nil && mine {
			err = f.Look(ctx)
		}
		// What cannot be swept is told once, not in every round.
		if err != nil && told != err.Error() && ctx.Err() == nil {
			f.Log.Error().Err(err).Msg("some lost tasks are not looked after until this works again")
			told = err.Error()
		}
		if err == nil {
			told = ""
		}
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}
