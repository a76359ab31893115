package push

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// completeAfter is how long after its producer's last heartbeat a sealed job is
	// completed by a worker.
	completeAfter = 15 * time.Second
	// takeBackAfter is how long after it a job is aborted that is not sealed: nothing
	// of it was sent.
	takeBackAfter = 10 * time.Minute
	// staleJobs bounds one call of CompleteStale.
	staleJobs = 100
)

// CompleteStale handles the jobs that dead producers left half-enqueued: sealed jobs
// get their missing tasks, others are aborted ten minutes after the last heartbeat. A
// producer that continues after all does no harm, and many workers may call it. One
// job's fault does not stop the others. It returns how many jobs it completed and
// aborted.
func (c *Client) CompleteStale(ctx context.Context) (completed, takenBack int, err error) {
	now := c.now()
	stale, err := c.rdb.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{
		Key: wire.StagingKey, ByScore: true, Start: "-inf", Stop: strconv.FormatInt(now.Add(-completeAfter).Unix(), 10), Count: staleJobs,
	}).Result()
	if err != nil {
		return 0, 0, fmt.Errorf("look for half-enqueued jobs: %w", err)
	}
	var errs []error
	for _, z := range stale {
		job, _ := z.Member.(string)
		done, back, err := c.completeJob(ctx, job, now.Sub(time.Unix(int64(z.Score), 0)) > takeBackAfter)
		if err != nil {
			errs = append(errs, fmt.Errorf("complete job %s: %w", job, err))
		}
		completed, takenBack = completed+done, takenBack+back
	}
	return completed, takenBack, errors.Join(errs...)
}

// completeJob completes one job or, if it is old and not sealed, aborts it.
func (c *Client) completeJob(ctx context.Context, job string, old bool) (completed, takenBack int, err error) {
	v, err := c.rdb.HMGet(ctx, wire.JobKey(job), wire.FieldState, wire.FieldOwner, wire.FieldApp, wire.FieldPriority, wire.FieldDigest).Result()
	if err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE") {
		return 0, 0, err
	}
	f := make([]string, 5)
	for i := range v {
		f[i], _ = v[i].(string)
	}
	state, owner := f[0], f[1]
	switch {
	case state == wire.Staging && old:
		n, err := abortCall(job, owner).Run(ctx, c.rdb).Int()
		return 0, n, err
	case state == wire.Staging:
		return 0, 0, nil
	case f[4] == "": // committed, or gone
		return 0, 0, c.rdb.ZRem(ctx, wire.StagingKey, job).Err()
	}
	if err := c.enqueueMissing(ctx, job, owner, f[2], f[3]); err != nil {
		return 0, 0, err
	}
	if err := commitCall(job, owner, c.now()).Run(ctx, c.rdb).Err(); err != nil {
		return 0, 0, err
	}
	return 1, 0, nil
}

// enqueueMissing enqueues the tasks of a sealed job that do not exist.
func (c *Client) enqueueMissing(ctx context.Context, job, owner, app, priority string) error {
	staged, err := c.rdb.HGetAll(ctx, wire.StagedKey(job)).Result()
	if err != nil {
		return err
	}
	message, err := c.rdb.Get(ctx, wire.MessageKey(job)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	now := c.now()
	for name, value := range staged {
		h := wire.Header{Job: job, App: app, Chunk: wire.JobChunk(job, name), Message: Digest(app, []byte(message))}
		raw, err := c.rdb.Get(ctx, wire.ChunkKey(h.Chunk)).Result()
		if errors.Is(err, redis.Nil) {
			continue // it is finished
		}
		if err != nil {
			return err
		}
		due := int64(0)
		chunk, err := wire.DecodeChunk(raw)
		switch {
		case errors.Is(err, wire.ErrNewer):
			return err
		case err != nil:
			// A worker will report that it cannot be read, and end its tokens.
			h.Tokens, h.Expires = stagedTokens(value), now.Add(DefaultTTL).Unix()
		default:
			e := chunk.Entries[0]
			h.Tokens, h.Start, h.Expires = len(e.Tokens), e.Start, e.Expires/1000
			if start := time.UnixMilli(e.Start); start.After(now) {
				due = start.Add(time.Second - 1).Unix()
			}
		}
		t := stagedTask(h, owner, name, priority)
		if err := c.publish(ctx, t.Queue); err != nil {
			return err
		}
		if err := taskCall(t, h, now, due, "").Run(ctx, c.rdb).Err(); err != nil {
			return err
		}
	}
	return nil
}

// stagedTokens is how many tokens a chunk had when it was staged: the number follows
// 16 bytes of digest.
func stagedTokens(value string) int {
	n, _ := strconv.Atoi(value[min(16, len(value)):]) // an older version wrote none
	return n
}

// stagedTask is the task of a chunk of a large job. Its id contains owner, which is
// the same for every sender of this job.
func stagedTask(h wire.Header, owner, name, priority string) wire.Task {
	vendor, number, _ := strings.Cut(name, ":")
	return wire.Task{
		ID:      wire.TaskID(h.Job+"."+number, owner+":"+name),
		Queue:   wire.Lane(vendor, priority),
		Payload: h.Encode(),
	}
}
