package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// A finished single-token job may cost at most 200 bytes of Redis, its share of
// the tables of keys and expiries included. The job ids are those that are made
// where the producer gives none.
func TestAFinishedSingleTokenJobCostsAtMost200Bytes(t *testing.T) {
	t.Parallel()
	const jobs, most = 10_000, 200
	r := rigOn(t, redistest.Start(t).Client(t), 0)
	// What Redis allocates once, at the first use of a command or a script, is no job's.
	r.finishSingles(jobs / 10)
	r.must(r.rdb.FlushDB(t.Context()).Err())
	before := r.usedMemory()
	// In parts, as workers take them: the tables of keys grow with what is there at once.
	var ids []string
	for range 10 {
		ids = append(ids, r.finishSingles(jobs/10)...)
	}
	if got := (r.usedMemory() - before) / jobs; got > most {
		t.Errorf("used_memory grew by %d bytes a job, want at most %d", got, most)
	}
	var sum int64
	for _, id := range ids[:100] {
		n, err := r.rdb.MemoryUsage(t.Context(), wire.JobKey(id)).Result()
		r.must(err)
		sum += n
	}
	if got := sum / 100; got > most {
		t.Errorf("MEMORY USAGE is %d bytes a job, want at most %d", got, most)
	}
	if n := len(r.headers()); n > 0 {
		t.Errorf("%d chunks of finished jobs remain", n)
	}
}

// finishSingles enqueues jobs of one token each, has them delivered, and
// deletes what asynq deletes when it is done with a task.
func (r *rig) finishSingles(n int) []string {
	r.Helper()
	all := make([]push.Job, n)
	for i := range all {
		all[i] = job("", fmt.Sprintf("token-%d", i))
	}
	ids := make([]string, 0, n)
	for _, o := range r.client.EnqueueMany(r.Context(), all) {
		r.must(o.Err)
		ids = append(ids, o.Result.Job)
	}
	for part := range slices.Chunk(r.headers(), 500) {
		var steps []*ledger.Step
		for _, h := range part {
			o := r.open(h)
			steps = append(steps, step(o, success, slices.Repeat([]wire.Outcome{wire.Delivered}, len(o.Chunk.States))...))
		}
		if slices.Contains(r.settle(steps...), false) {
			r.Fatal("a step was not recorded")
		}
	}
	keys, err := r.rdb.Keys(r.Context(), "asynq:*").Result()
	r.must(err)
	// These steps are made by hand and name no task, so the index keeps its members.
	keys = append(keys, r.rdb.Keys(r.Context(), wire.OpenKey("*")).Val()...)
	for part := range slices.Chunk(keys, 1000) {
		r.must(r.rdb.Del(r.Context(), part...).Err())
	}
	return ids
}

func (r *rig) usedMemory() (n int64) {
	r.Helper()
	info, err := r.rdb.Info(r.Context(), "memory").Result()
	r.must(err)
	for line := range strings.Lines(info) {
		_, _ = fmt.Sscanf(line, "used_memory:%d", &n)
	}
	return n
}
