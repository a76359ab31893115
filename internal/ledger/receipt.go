package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/zeebo/xxh3"

	"github.com/postrider/postrider/pkg/push/lua"
	"github.com/postrider/postrider/pkg/push/wire"
)

// Receipt is what a vendor reported about one token of a job.
type Receipt struct {
	Token string
	Event wire.Receipt
}

const (
	// countedTokens is how many tokens share a set. Redis keeps a set of up to
	// 512 whole numbers at 8 bytes each, and a token has three events.
	countedTokens = 128
	// countedFor is how long a repeated receipt is recognised. Older ones belong to no
	// message that is still known to have been sent.
	countedFor = 8 * 24 * time.Hour
)

// CountReceipts counts what vendors reported about the jobs' tokens, in two round
// trips. Counting the same again changes nothing, and no outcome ever changes.
func (s *Store) CountReceipts(ctx context.Context, jobs map[string][]Receipt) error {
	names := slices.Sorted(maps.Keys(jobs))
	sets, err := s.countedSets(ctx, names)
	if err != nil {
		return err
	}
	calls := make([]*lua.Call, len(names))
	for i, job := range names {
		calls[i] = receiptCall(job, sets[i], jobs[job])
	}
	if _, err := lua.RunAll(ctx, s.Redis, calls); err != nil {
		return fmt.Errorf("count receipts: %w", err)
	}
	return nil
}

// countedSets returns for each job over how many sets its receipts are spread. A
// job's number of tokens is fixed long before its first receipt; a job that grows
// while it is enqueued may at worst count a repeated receipt twice.
func (s *Store) countedSets(ctx context.Context, jobs []string) ([]int, error) {
	cmds := make([]*redis.StringCmd, len(jobs))
	_, _ = s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error { // errors are checked per command below
		for i, job := range jobs {
			cmds[i] = p.HGet(ctx, wire.JobKey(job), wire.FieldAccepted)
		}
		return nil
	})
	sets := make([]int, len(jobs))
	for i, cmd := range cmds {
		n, err := cmd.Int()
		if err != nil && !errors.Is(err, redis.Nil) && !redis.HasErrorPrefix(err, "WRONGTYPE") {
			return nil, fmt.Errorf("count receipts: %w", err)
		}
		sets[i] = max(1, (n+countedTokens-1)/countedTokens)
	}
	return sets, nil
}

// receiptCall counts the receipts of one job, which are spread over some sets.
func receiptCall(job string, sets int, all []Receipt) *lua.Call {
	c := receiptScript.Call().Key("ledger", wire.JobKey(job)).Arg("keep", int64(countedFor/time.Second))
	hashes := make([]uint64, len(all))
	index := map[uint64]int{} // of the sets in use, from 1
	for i, r := range all {
		hashes[i] = xxh3.HashString(r.Token)
		set := hashes[i] % uint64(sets)
		if index[set] == 0 {
			index[set] = len(index) + 1
			c.Row("set").Key("counted", wire.CountedKey(job, int(set)))
		}
	}
	for i, r := range all {
		member := strconv.FormatInt(int64(hashes[i]^xxh3.HashString(string(r.Event))), 10)
		c.Row("receipt").
			Arg("set", index[hashes[i]%uint64(sets)]).
			Arg("member", member).
			Arg("field", r.Event.Field()).
			Arg("word", r.Event.Word())
	}
	return c
}
