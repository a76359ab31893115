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

func (st *stage) command(args ...string) *exec.Cmd {
	return exec.Command(filepath.Join(bin, "enqueue"), append(args, "--config", st.hands[0].config)...)
}

// drain waits until every job has ended. What waits for a quota, a pause or a
// stopped account is brought forward, as an operator would.
func (st *stage) drain(waves []*wave) time.Duration {
	begin := time.Now()
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	for {
		st.revive()
		st.hasten()
		open := st.open(waves)
		if len(open) == 0 && len(st.remains()) == 0 {
			return time.Since(begin)
		}
		if time.Since(begin) > patience {
			st.fault("after %s these jobs are not at their end: %q; remaining: %q", patience, open, st.remains())
			return time.Since(begin)
		}
		<-again.C
	}
}

// open are the jobs that have tokens without an outcome.
func (st *stage) open(waves []*wave) (open []string) {
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

// hasten makes everything due that waits for its time.
func (st *stage) hasten() {
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

func (st *stage) keys(pattern string) (all []string) {
	for it := st.rdb.Scan(st.Context(), 0, pattern, 10_000).Iterator(); it.Next(st.Context()); {
		all = append(all, it.Val())
	}
	slices.Sort(all)
	return all
}

// remains are the keys of things that are still to be sent.
func (st *stage) remains() (all []string) {
	for _, pattern := range []string{"postrider:chunk:*", "postrider:message:*", "postrider:staged:*"} {
		all = append(all, st.keys(pattern)...)
	}
	for _, what := range []string{"pending", "active", "scheduled", "retry", "lease"} {
		all = append(all, st.keys("asynq:{*}:"+what)...)
	}
	return all
}

// archived are the ids of archived tasks: those whose dead letters are written.
func (st *stage) archived() (n int) {
	for _, key := range st.keys("asynq:{*}:archived") {
		n += int(st.rdb.ZCard(st.Context(), key).Val())
	}
	return n
}

// ledgers sums up the ledgers of a wave's jobs.
func (st *stage) ledgers(w *wave) (sum ledger.Status) {
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

// stream is how often each token stands in a stream, and why.
func (st *stage) stream(key, field string) (tokens map[string]int, reasons map[string]int) {
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

// keepLogs copies the workers' logs to where they outlive the test.
func (st *stage) keepLogs() string {
	dir, err := os.MkdirTemp("", "postrider-chaos-logs")
	if err != nil {
		return err.Error()
	}
	for _, h := range st.hands {
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
