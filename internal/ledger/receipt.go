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

	"github.com/postrider/postrider/pkg/push/wire"
)

// Receipt is what a vendor told of one token of a job.
type Receipt struct {
	Token string
	Event wire.Receipt
}

const (
	// countedTokens is how many tokens share a set. Redis keeps a set of up to
	// 512 whole numbers at 8 bytes each, and a token has three events.
	countedTokens = 128
	// countedFor is how long a receipt that comes again is known. What is older
	// belongs to no message that is still known to have been sent.
	countedFor = 8 * 24 * time.Hour
)

// receiptScript counts receipts in a job's ledger: each token once for each
// event, however often and in whatever order they come. Without a ledger there
// is nothing to count.
//
//	KEYS: ledger, sets of what was counted
//	ARGV: how long the sets are kept (s), then of each receipt:
//	      index of its set in KEYS, member, field of a hash, word of a single ledger
var receiptScript = redis.NewScript(`
local kind = redis.call('TYPE', KEYS[1])
kind = kind.ok or kind
if kind == 'none' then return 0 end
if kind == 'string' then
  local v = redis.call('GET', KEYS[1])
  local had = v
  for i = 2, #ARGV, 4 do
    if not string.find(v .. ' ', ' ' .. ARGV[i + 3] .. ' ', 1, true) then v = v .. ' ' .. ARGV[i + 3] end
  end
  if v ~= had then redis.call('SET', KEYS[1], v, 'KEEPTTL') end
  return 1
end
for i = 2, #ARGV, 4 do
  if redis.call('SADD', KEYS[tonumber(ARGV[i])], ARGV[i + 1]) == 1 then
    redis.call('HINCRBY', KEYS[1], ARGV[i + 2], 1)
  end
end
for i = 2, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[1]) end
return 1
`)

// CountReceipts counts what vendors told of the jobs' tokens, in two round
// trips. Counting the same again changes nothing, and no outcome ever changes.
func (s *Store) CountReceipts(ctx context.Context, jobs map[string][]Receipt) error {
	names := slices.Sorted(maps.Keys(jobs))
	sets, err := s.countedSets(ctx, names)
	if err != nil {
		return err
	}
	for again := false; ; again = true {
		_, err := s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, job := range names {
				keys, args := receiptArgs(job, sets[i], jobs[job])
				receiptScript.EvalSha(ctx, p, keys, args...)
			}
			return nil
		})
		if err == nil || again || !redis.HasErrorPrefix(err, "NOSCRIPT") {
			return wrap("count receipts", err)
		}
		if err := receiptScript.Load(ctx, s.Redis).Err(); err != nil {
			return fmt.Errorf("load receipt script: %w", err)
		}
	}
}

func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", op, err)
}

// countedSets answers of each job over how many sets its receipts are spread.
// A job's number of tokens is fixed long before its first receipt; one that
// grows while it is laid down may at worst count a repeated receipt twice.
func (s *Store) countedSets(ctx context.Context, jobs []string) ([]int, error) {
	cmds := make([]*redis.StringCmd, len(jobs))
	_, _ = s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error { // its error is only the first of theirs
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

// receiptArgs are the script's, see there.
func receiptArgs(job string, sets int, all []Receipt) ([]string, []any) {
	keys := []string{wire.JobKey(job)}
	args := make([]any, 1, 1+4*len(all))
	args[0] = int64(countedFor / time.Second)
	index := map[int]int{}
	for _, r := range all {
		h := xxh3.HashString(r.Token)
		set := int(h % uint64(sets)) //nolint:gosec // far below either's limit
		if index[set] == 0 {
			keys = append(keys, wire.CountedKey(job, set))
			index[set] = len(keys)
		}
		member := strconv.FormatInt(int64(h^xxh3.HashString(string(r.Event))), 10) //nolint:gosec // any number will do
		args = append(args, index[set], member, r.Event.Field(), r.Event.Word())
	}
	return keys, args
}
