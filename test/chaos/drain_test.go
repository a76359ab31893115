package chaos

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/ledger"
)

func (st *testbed) command(args ...string) *exec.Cmd {
	return exec.Command(filepath.Join(bin, "enqueue"), append(args, "--config", st.processes[0].config)...)
}

// drain waits until every job has ended. It ends pauses and stops and makes waiting
// tasks due, as an operator would.
func (st *testbed) drain(waves []*wave) time.Duration {
	begin := time.Now()
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	for {
		st.restartEnded()
		st.makeDue()
		open := st.openJobs(waves)
		if len(open) == 0 && len(st.leftKeys()) == 0 {
			return time.Since(begin)
		}
		if time.Since(begin) > drainTimeout {
			st.fault("after %s these jobs have not ended: %q; keys left: %q", drainTimeout, open, st.leftKeys())
			return time.Since(begin)
		}
		<-again.C
	}
}

// openJobs returns jobs that have tokens without an outcome; at most about ten.
func (st *testbed) openJobs(waves []*wave) (open []string) {
	for _, w := range waves {
		if !st.enqueue[w.name] {
			continue
		}
		for _, id := range w.ids() {
			s, err := st.book.Status(st.Context(), id)
			if err != nil {
				st.Fatal(err)
			}
			if s.Pending > 0 {
				open = append(open, id)
			}
			if len(open) > 10 {
				return open
			}
		}
	}
	return open
}

// makeDue removes all pauses and makes all waiting tasks due.
func (st *testbed) makeDue() {
	ctx := st.Context()
	for _, key := range st.keys("postrider:pause:*") {
		st.rdb.Del(ctx, key)
	}
	for _, set := range []string{"retry", "scheduled"} {
		for _, key := range st.keys("asynq:{*}:" + set) {
			for _, id := range st.rdb.ZRangeArgs(ctx, redis.ZRangeArgs{Key: key, ByScore: true, Start: "2", Stop: "+inf"}).Val() {
				st.rdb.ZAddXX(ctx, key, redis.Z{Score: 1, Member: id})
			}
		}
	}
}

func (st *testbed) keys(pattern string) (all []string) {
	for it := st.rdb.Scan(st.Context(), 0, pattern, 10_000).Iterator(); it.Next(st.Context()); {
		all = append(all, it.Val())
	}
	slices.Sort(all)
	return all
}

// leftKeys returns the keys of unfinished work.
func (st *testbed) leftKeys() (all []string) {
	for _, pattern := range []string{"postrider:chunk:*", "postrider:message:*", "postrider:staged:*"} {
		all = append(all, st.keys(pattern)...)
	}
	for _, what := range []string{"pending", "active", "scheduled", "retry", "lease"} {
		all = append(all, st.keys("asynq:{*}:"+what)...)
	}
	return all
}

// archived counts the archived tasks, whose tokens are in dead letters.
func (st *testbed) archived() (n int) {
	for _, key := range st.keys("asynq:{*}:archived") {
		n += int(st.rdb.ZCard(st.Context(), key).Val())
	}
	return n
}

// ledgers returns the sum of the ledgers of a wave's jobs.
func (st *testbed) ledgers(w *wave) (sum ledger.Status) {
	for _, id := range w.ids() {
		s, err := st.book.Status(st.Context(), id)
		if err != nil {
			st.fault("%s: %v", id, err)
			continue
		}
		sum.Accepted += s.Accepted
		sum.Delivered += s.Delivered
		sum.Invalid += s.Invalid
		sum.Dropped += s.Dropped
		sum.Expired += s.Expired
		sum.Dead += s.Dead
		sum.Canceled += s.Canceled
		sum.Pending += s.Pending
	}
	return sum
}

// stream counts tokens and reasons in the entries of a stream.
func (st *testbed) stream(key, field string) (tokens map[string]int, reasons map[string]int) {
	tokens, reasons = map[string]int{}, map[string]int{}
	entries, err := st.rdb.XRange(st.Context(), key, "-", "+").Result()
	if err != nil {
		st.Fatal(err)
	}
	for _, e := range entries {
		text, _ := e.Values[field].(string)
		reason, _ := e.Values["reason"].(string)
		reason, _, _ = strings.Cut(reason, ":")
		for token := range strings.SplitSeq(text, "\n") {
			tokens[token]++
			reasons[reason]++
		}
	}
	return tokens, reasons
}

// keepLogs copies the workers' logs to a folder that is not deleted after the test.
func (st *testbed) keepLogs() string {
	dir, err := os.MkdirTemp("", "postrider-chaos-logs")
	if err != nil {
		return err.Error()
	}
	for _, h := range st.processes {
		text, err := os.ReadFile(h.log)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(h.log)), text, 0o600)
		}
		if err != nil {
			return err.Error()
		}
	}
	return dir
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
