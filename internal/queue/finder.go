package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// lookEvery is how often one of the workers looks for open work whose task
	// was lost, and for jobs that were canceled.
	lookEvery = 5 * time.Second
	// lookAt is how many members of a lane's open work one look reads at least, and
	// busyParts in how many looks all of it is read at most: 100 s. If there are fewer
	// tasks than members, one look reads all. If nothing is in work and there are as many
	// tasks as members, a task can only be lost if another one is not listed: then
	// quietParts is enough, since every member costs Redis about 5 µs.
	lookAt     = 1000
	busyParts  = 20
	quietParts = 60
	// lookPage is how many members one step reads.
	lookPage = 1000
	// atOnce is how many tasks are ended or enqueued again concurrently.
	atOnce = 32
	// dueAt bounds how many members that have expired one look ends in a lane.
	dueAt = 5000
)

// Lost is open work whose task will not be worked any more, or not in time.
type Lost struct {
	wire.Open
	Expires int64 // Unix second
	// Deleted: a person deleted the task in our UI.
	Deleted bool
}

// each calls do for 0 to n-1, several at once. One error does not stop the others.
func each(n int, do func(i int) error) error {
	errs := make([]error, n)
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i := range n {
		g.Go(func() error {
			errs[i] = do(i)
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	return errors.Join(errs...)
}

// Finder finds open work whose task was lost: deleted by hand, trimmed from
// asynq's archive, or gone in any other way. It is for one goroutine.
type Finder struct {
	Redis redis.UniversalClient
	// Lanes are checked, and all other lanes of ours that asynq knows. They must include
	// all in which there may be open work, also of other workers.
	Lanes []string
	// Every is how often it looks; 0: every 5 s.
	Every time.Duration
	// Lost decides about work whose task is gone: it is sent again with the task that
	// Lost returns, or ended if that is nil. The error wraps wire.ErrNewer if only a newer
	// version can decide.
	Lost func(ctx context.Context, lane string, l Lost) (*wire.Task, error)
	// End ends the tokens that are not to be sent any more of work whose task exists.
	End func(ctx context.Context, lane string, l Lost) error
	// EndArchived ends the tokens of archived tasks that asynq has deleted from its archive.
	EndArchived func(ctx context.Context, lane string, all []Archived) error
	// Adopt adds the work of a task to the index; nil: tasks that are not in it are not
	// looked for.
	Adopt func(ctx context.Context, lane string, t Task) error
	// Producers handles jobs that dead producers left half-enqueued; nil: nothing does.
	Producers func(ctx context.Context) error
	// Passed is called when all open work was read; nil: it is not.
	Passed func(ctx context.Context, p Pass) error
	// Recovered counts tasks that were lost.
	Recovered func(reason string, n int)
	Log       zerolog.Logger

	pass *pass
}

// Look checks all lanes once. A fault in one lane does not stop the others.
func (f *Finder) Look(ctx context.Context) error {
	var errs []error
	now, err := f.Redis.Time(ctx).Result()
	if err != nil {
		return fmt.Errorf("look for lost tasks: %w", err)
	}
	if f.pass == nil {
		f.pass = newPass(now)
	}
	lanes, err := knownLanes(ctx, f.Redis, f.Lanes)
	if err != nil {
		f.pass.Blind = true
		errs = append(errs, err)
	}
	canceled, err := f.canceled(ctx)
	if err != nil {
		errs = append(errs, err)
	}
	empty, err := f.empty(ctx, lanes)
	if err != nil {
		errs = append(errs, err)
	}
	for i, lane := range lanes {
		if empty[i] {
			f.pass.cursors[lane] = passed
			continue
		}
		if err := f.lane(ctx, lane, now, canceled); err != nil {
			errs = append(errs, fmt.Errorf("look for lost tasks of %s: %w", lane, err))
		}
	}
	if f.Producers != nil {
		errs = append(errs, f.Producers(ctx))
	}
	if f.pass.complete(lanes) {
		if f.Passed != nil {
			errs = append(errs, f.Passed(ctx, f.pass.Pass))
		}
		f.pass = nil
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

// empty reports which lanes have no open work, in one round trip: most have none most of
// the time.
func (f *Finder) empty(ctx context.Context, lanes []string) ([]bool, error) {
	open, deleted := make([]*redis.IntCmd, len(lanes)), make([]*redis.IntCmd, len(lanes))
	_, err := f.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, lane := range lanes {
			open[i], deleted[i] = p.ZCard(ctx, wire.OpenKey(lane)), p.HLen(ctx, wire.DeletedKey(lane))
		}
		return nil
	})
	out := make([]bool, len(lanes))
	for i := range lanes {
		// If a lane's size cannot be read, its own look reports why.
		out[i] = open[i].Err() == nil && deleted[i].Err() == nil && open[i].Val()+deleted[i].Val() == 0
	}
	if redis.HasErrorPrefix(err, "WRONGTYPE") {
		err = nil
	}
	return out, err
}

// knownLanes returns the given lanes and all other lanes of ours that asynq knows: a
// worker also handles lanes whose vendors it does not serve.
func knownLanes(ctx context.Context, rdb redis.UniversalClient, lanes []string) ([]string, error) {
	names, err := rdb.SMembers(ctx, wire.AsynqQueues).Result()
	if err != nil {
		return lanes, fmt.Errorf("list lanes: %w", err)
	}
	all := append([]string{}, lanes...)
	have := map[string]bool{}
	for _, l := range lanes {
		have[l] = true
	}
	for _, name := range names {
		if !have[name] && isLane(name) {
			all = append(all, name)
		}
	}
	return all, nil
}

// canceledFor is how long the chunks of a canceled job are looked for: a task that was
// put back meanwhile is found in a later round.
const canceledFor = 30 * time.Second

// canceled returns the jobs that were canceled not long ago.
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

// lane checks one lane: tasks that were deleted in our UI, members that have expired,
// those of canceled jobs, and the next ones of all others. If there are more members
// than tasks it checks all of them.
func (f *Finder) lane(ctx context.Context, lane string, now time.Time, canceled map[string]bool) error {
	errs := []error{f.deleted(ctx, lane)}
	members, live, inWork, err := f.count(ctx, lane)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	if members == 0 {
		f.pass.cursors[lane] = passed
		return errors.Join(errs...)
	}
	errs = append(errs, f.due(ctx, lane, now))
	parts := int64(busyParts)
	if inWork == 0 && members == live {
		parts = quietParts
	}
	budget := max(lookAt, (members+parts-1)/parts)
	small := members <= budget
	switch {
	case small && f.pass.cursors[lane] == 0: // the step reads all of them
	case small || members > live:
		errs = append(errs, f.scan(ctx, lane, func(all []Lost) error { return f.page(ctx, lane, now, all, canceled, nil) }))
	case len(canceled) > 0:
		errs = append(errs, f.scan(ctx, lane, func(all []Lost) error {
			mine, err := f.ofCanceled(ctx, all, canceled)
			if err != nil || len(mine) == 0 {
				return err
			}
			return f.page(ctx, lane, now, mine, canceled, nil)
		}))
	}
	return errors.Join(append(errs, f.step(ctx, lane, now, budget, canceled))...)
}

// step continues the pass through a lane's members, up to the budget.
func (f *Finder) step(ctx context.Context, lane string, now time.Time, budget int64, canceled map[string]bool) error {
	var errs []error
	for budget > 0 && f.pass.cursors[lane] != passed {
		all, next, strange, err := f.members(ctx, lane, f.pass.cursors[lane])
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		err = f.page(ctx, lane, now, all, canceled, f.pass)
		f.pass.Blind = f.pass.Blind || err != nil || strange > 0
		errs = append(errs, err)
		budget -= int64(len(all) + strange)
		if f.pass.cursors[lane] = next; next == 0 {
			f.pass.cursors[lane] = passed
		}
	}
	return errors.Join(errs...)
}

// scan reads all members of a lane; those that exist all the time are read at least
// once. An error in one page does not stop the others.
func (f *Finder) scan(ctx context.Context, lane string, look func([]Lost) error) error {
	var errs []error
	for cursor := int64(0); ; {
		all, next, _, err := f.members(ctx, lane, cursor)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		errs = append(errs, look(all))
		if cursor = next; cursor == 0 {
			return errors.Join(errs...)
		}
	}
}

// due checks members that have expired.
func (f *Finder) due(ctx context.Context, lane string, now time.Time) error {
	page, err := f.Redis.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{
		Key: wire.OpenKey(lane), ByScore: true, Start: "-inf", Stop: "(" + strconv.FormatInt(now.Unix(), 10), Count: dueAt,
	}).Result()
	if err != nil || len(page) == 0 {
		return err
	}
	all := make([]Lost, 0, len(page))
	for _, z := range page {
		text, _ := z.Member.(string)
		if o, err := wire.DecodeOpen(text); err == nil {
			all = append(all, Lost{Open: o, Expires: int64(z.Score)})
		}
	}
	return f.page(ctx, lane, now, all, nil, nil)
}

// Run calls Look every few seconds until ctx ends, the first time after some seconds:
// a worker that starts has other work. One worker at a time does.
func (f *Finder) Run(ctx context.Context) {
	every := f.Every
	if every <= 0 {
		every = lookEvery
	}
	again := time.NewTicker(every)
	defer again.Stop()
	self, logged := rand.Text(), ""
	defer func() { f.leave(context.WithoutCancel(ctx), self) }()
	adopted := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
		mine, err := turn(ctx, f.Redis, wire.SweepKey, self, 3*every)
		if err == nil && mine && !adopted {
			err = f.adopt(ctx)
			adopted = err == nil
		}
		if err == nil && mine {
			err = f.Look(ctx)
		}
		if !mine {
			f.pass = nil // what another worker has read is not known here
		}
		// An error is logged once, not in every round.
		if err != nil && logged != err.Error() && ctx.Err() == nil {
			f.Log.Error().Err(err).Msg("some lost tasks are not sent again until this error is resolved")
			logged = err.Error()
		}
		if err == nil {
			logged = ""
		}
	}
}

// turn takes or keeps a worker's turn at something that one of all does.
func turn(ctx context.Context, rdb redis.UniversalClient, key, self string, d time.Duration) (bool, error) {
	mine, err := turnScript.Call().Key("turn", key).Arg("me", self).Arg("life", d.Milliseconds()).Run(ctx, rdb).Bool()
	if err != nil {
		return false, fmt.Errorf("take turns at %s: %w", key, err)
	}
	return mine, nil
}

// leave ends the turn, so that the next worker need not wait.
func (f *Finder) leave(ctx context.Context, self string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, _ = turn(ctx, f.Redis, wire.SweepKey, self, time.Millisecond) // it ends by itself
}
