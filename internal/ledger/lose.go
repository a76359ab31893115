package ledger

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Lose ends what is left of a chunk that is gone or cannot be read, as far as
// its member of the open work tells, and returns how many tokens ended dead. The
// reason is counted with them as "vendor/task/reason". Calling it again changes
// nothing.
func (s *Store) Lose(ctx context.Context, lane string, o wire.Open, reason wire.DeadReason) (tokens int, err error) {
	jobs := []wire.PackedJob{{Job: o.Job(), Tokens: o.Tokens}}
	if o.Job() == "" {
		packed, err := s.Redis.Get(ctx, wire.PackJobsKey(o.Chunk)).Result()
		if err != nil && err != redis.Nil { //nolint:errorlint // go-redis returns it bare
			return 0, fmt.Errorf("read the jobs of chunk %s: %w", o.Chunk, err)
		}
		jobs = wire.DecodePackedJobs(packed)
	}
	now := s.now()
	vendor, _ := wire.SplitLane(lane)
	c := loseScript.Call().
		Key("open_work", wire.OpenKey(lane)).
		Key("chunk", wire.ChunkKey(o.Chunk)).
		Key("chunk_jobs", wire.PackJobsKey(o.Chunk)).
		Arg("member", o.Encode()).
		Arg("now", now.Unix()).
		Arg("now36", strconv.FormatInt(now.Unix(), 36)).
		Arg("keep_at_least", int64(s.keep()/time.Second)).
		Arg("keep_single", int64(singleKeep/time.Second)).
		Arg("code", vendor+"/task/"+string(reason))
	for _, j := range jobs {
		c.Row("job").Key("ledger", wire.JobKey(j.Job)).Key("message", wire.MessageKey(j.Job)).Arg("tokens", j.Tokens)
	}
	tokens, err = c.Run(ctx, s.Redis).Int()
	if err != nil {
		return 0, fmt.Errorf("end chunk %s: %w", o.Chunk, err)
	}
	return tokens, nil
}

// lostSomewhere is counted for tokens that are in no chunk: their vendor is not known.
const lostSomewhere = "unknown/task/" + string(wire.DeadLostTask)

// LoseRest ends the tokens of a job of several tokens that are pending and in no
// chunk, if there are still as many, and returns how many ended.
func (s *Store) LoseRest(ctx context.Context, job string, pending int) (tokens int, err error) {
	tokens, err = loseRestScript.Call().
		Key("ledger", wire.JobKey(job)).
		Key("message", wire.MessageKey(job)).
		Arg("seen", pending).
		Arg("code", lostSomewhere).
		Arg("now", s.now().Unix()).
		Arg("keep_at_least", int64(s.keep()/time.Second)).
		Run(ctx, s.Redis).Int()
	if err != nil {
		return 0, fmt.Errorf("end the rest of job %s: %w", job, err)
	}
	return tokens, nil
}
