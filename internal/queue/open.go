package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// OpenWork is a chunk that has something left, as the index of open work has it.
type OpenWork struct {
	wire.Open
	// HasTask: a task is there that can send it.
	HasTask bool
	// Start is when the first of its jobs could be sent; zero: its task does not say.
	Start time.Time
	// Jobs are its jobs; nil: they are not known.
	Jobs []string
}

// OpenReader reads the index of open work.
type OpenReader struct{ Redis redis.UniversalClient }

// Lanes are those of ours that have ever had a task.
func (r OpenReader) Lanes(ctx context.Context) ([]string, error) {
	return knownLanes(ctx, r.Redis, nil)
}

// Each reads all open work of a lane, a page at a time. What is there all the
// while comes up at least once. Starts are left out.
func (r OpenReader) Each(ctx context.Context, lane string, look func([]OpenWork) error) error {
	f := Finder{Redis: r.Redis}
	err := f.scan(ctx, lane, func(all []Lost) error {
		open, err := r.read(ctx, lane, all, false)
		if err != nil {
			return err
		}
		return look(open)
	})
	if err != nil {
		return fmt.Errorf("read open work of %s: %w", lane, err)
	}
	return nil
}

// Latest reads a page of a lane's open work, that which expires last first,
// after skipping some. No work: it was the last.
func (r OpenReader) Latest(ctx context.Context, lane string, skip, n int64) ([]OpenWork, error) {
	page, err := r.Redis.ZRevRangeWithScores(ctx, wire.OpenKey(lane), skip, skip+n-1).Result()
	if err != nil {
		return nil, fmt.Errorf("read open work of %s: %w", lane, err)
	}
	var all []Lost
	for _, z := range page {
		text, _ := z.Member.(string)
		if o, err := wire.DecodeOpen(text); err == nil {
			all = append(all, Lost{Open: o, Expires: int64(z.Score)})
		}
	}
	open, err := r.read(ctx, lane, all, true)
	if err != nil {
		return nil, fmt.Errorf("read open work of %s: %w", lane, err)
	}
	return open, nil
}

// read finds out about members.
func (r OpenReader) read(ctx context.Context, lane string, all []Lost, starts bool) ([]OpenWork, error) {
	if len(all) == 0 {
		return nil, nil
	}
	states, err := taskStates(ctx, r.Redis, lane, all)
	if err != nil {
		return nil, err
	}
	packs, err := packedJobs(ctx, r.Redis, all)
	if err != nil {
		return nil, err
	}
	msgs := make([]*redis.StringCmd, len(all))
	if starts {
		_, err := r.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, l := range all {
				msgs[i] = p.HGet(ctx, wire.TaskKey(lane, l.Task), "msg")
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, err
		}
	}
	open := make([]OpenWork, len(all))
	for i, l := range all {
		open[i] = OpenWork{Open: l.Open, HasTask: states[i] != noTask && states[i] != archived}
		if msgs[i] != nil {
			open[i].Start = startOf(msgs[i].Val())
		}
		if job := l.Job(); job != "" {
			open[i].Jobs = []string{job}
		}
		for _, j := range packs[i] {
			open[i].Jobs = append(open[i].Jobs, j.Job)
		}
	}
	return open, nil
}

// startOf is the start that a task's header tells; zero for none.
func startOf(msg string) time.Time {
	t, _, err := wire.DecodeTask([]byte(msg))
	if err != nil {
		return time.Time{}
	}
	h, err := wire.DecodeHeader(t.Payload)
	if err != nil || h.Start == 0 {
		return time.Time{}
	}
	return time.UnixMilli(h.Start)
}

// taskStates are the letters of states.lua for the members' tasks.
func taskStates(ctx context.Context, rdb redis.UniversalClient, lane string, all []Lost) (string, error) {
	c := statesScript.Call().Grow(len(all), 0)
	for _, l := range all {
		c.Row("task").Key("task", wire.TaskKey(lane, l.Task))
	}
	states, err := c.Run(ctx, rdb).Text()
	if err == nil && len(states) != len(all) {
		err = errors.New("redis returned " + strconv.Itoa(len(states)) + " states for " + strconv.Itoa(len(all)) + " tasks")
	}
	if err != nil {
		return "", fmt.Errorf("read states of tasks: %w", err)
	}
	return states, nil
}

// members reads a page of a lane's members. Redis's cursors fit into 63 bits,
// for they count buckets of a hash table. strange are members that only a newer
// version knows.
func (f *Finder) members(ctx context.Context, lane string, cursor int64) (all []Lost, next int64, strange int, err error) {
	found, after, err := f.Redis.ZScan(ctx, wire.OpenKey(lane), uint64(cursor), "", lookPage).Result()
	if err != nil {
		return nil, 0, 0, err
	}
	all = make([]Lost, 0, len(found)/2)
	for i := 0; i+1 < len(found); i += 2 { // each member is followed by its score
		score, _ := strconv.ParseFloat(found[i+1], 64)
		o, err := wire.DecodeOpen(found[i])
		if err != nil {
			strange++
			continue
		}
		all = append(all, Lost{Open: o, Expires: int64(score)})
	}
	return all, int64(after), strange, nil
}

// count reads in one step how many members and how many tasks a lane has, and
// how many of these are in work.
func (f *Finder) count(ctx context.Context, lane string) (members, live, inWork int64, err error) {
	var open *redis.IntCmd
	var tasks []*redis.IntCmd
	_, err = f.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		open = p.ZCard(ctx, wire.OpenKey(lane))
		tasks = []*redis.IntCmd{
			p.LLen(ctx, wire.PendingKey(lane)), p.LLen(ctx, wire.ActiveKey(lane)),
			p.ZCard(ctx, wire.ScheduledKey(lane)), p.ZCard(ctx, wire.RetryKey(lane)),
		}
		return nil
	})
	if err != nil {
		return 0, 0, 0, err
	}
	for _, n := range tasks {
		live += n.Val()
	}
	return open.Val(), live, tasks[1].Val(), nil
}

// packedJobs reads the jobs of those chunks that many jobs share.
func packedJobs(ctx context.Context, rdb redis.UniversalClient, all []Lost) (map[int][]wire.PackedJob, error) {
	cmds := map[int]*redis.StringCmd{}
	_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, l := range all {
			if l.Job() == "" {
				cmds[i] = p.Get(ctx, wire.PackJobsKey(l.Chunk))
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read the jobs of shared chunks: %w", err)
	}
	jobs := make(map[int][]wire.PackedJob, len(cmds))
	for i, cmd := range cmds {
		jobs[i] = wire.DecodePackedJobs(cmd.Val())
	}
	return jobs, nil
}

// The letters of states.lua.
const (
	noTask   = '-'
	active   = 'a'
	archived = 'x'
)
