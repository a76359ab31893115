package feed

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// cacheFor is how long it is cached whether an account has invalid tokens. At
// worst, a token that becomes invalid in this time is sent once more.
const cacheFor = time.Second

// maxKnown is how many accounts are cached; others are read from Redis each time.
const maxKnown = 1000

// InvalidTokens reports which tokens are known to be invalid: those that entered
// the feed with the action delete. They are stored as marks, which are hashes. It is
// safe for concurrent use; Redis must be set.
type InvalidTokens struct {
	Redis redis.UniversalClient
	// Now is the clock; nil: time.Now.
	Now func() time.Time

	mu    sync.Mutex
	known map[string]known // by key
}

type known struct {
	any   bool
	until time.Time
}

// Dead reports of each token of the entries, in order, whether it was found invalid
// after its job's start; nil: no token was. If the job started later, the token is
// assumed to be valid again, and its mark is removed. It costs one round trip, a
// second one to remove marks, and none while the account has no invalid tokens.
func (inv *InvalidTokens) Dead(ctx context.Context, app, vendor string, entries []wire.Entry) ([]bool, error) {
	key := wire.GoneKey(app, vendor)
	found, err := inv.some(ctx, key)
	if err != nil || !found {
		return nil, err
	}
	marks := marksOf(entries)
	args := make([]any, 2, 2+len(marks))
	args[0], args[1] = "zmscore", key
	for i := range marks {
		args = append(args, &marks[i]) // a pointer costs no allocation
	}
	cmd := redis.NewFloatSliceCmd(ctx, args...)
	if err := inv.Redis.Process(ctx, cmd); err != nil {
		return nil, fmt.Errorf("read which tokens are invalid: %w", err)
	}
	dead, valid := compare(entries, marks, cmd.Val())
	if len(valid) > 0 {
		if err := inv.Redis.ZRem(ctx, key, valid...).Err(); err != nil {
			return nil, fmt.Errorf("remove marks of invalid tokens: %w", err)
		}
	}
	return dead, nil
}

// some reports whether there is any mark; the answer may be cacheFor old.
func (inv *InvalidTokens) some(ctx context.Context, key string) (bool, error) {
	now := time.Now
	if inv.Now != nil {
		now = inv.Now
	}
	inv.mu.Lock()
	k := inv.known[key]
	inv.mu.Unlock()
	if inv.now().Before(k.until) {
		return k.any, nil
	}
	n, err := inv.Redis.Exists(ctx, key).Result()
	if err != nil {
		return false, fmt.Errorf("read which tokens are invalid: %w", err)
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	if inv.known == nil {
		inv.known = map[string]known{}
	}
	if len(inv.known) >= maxKnown { // tasks may name any app
		maps.DeleteFunc(inv.known, func(_ string, k known) bool { return !inv.now().Before(k.until) })
	}
	if len(inv.known) >= maxKnown {
		return n > 0, nil
	}
	inv.known[key] = known{any: n > 0, until: now().Add(cacheFor)}
	return n > 0, nil
}

// marksOf returns the marks of all tokens, as parts of one string to save allocations.
func marksOf(entries []wire.Entry) []string {
	n := 0
	for _, e := range entries {
		n += len(e.Tokens)
	}
	raw := make([]byte, 0, n*wire.MarkLength)
	for _, e := range entries {
		for _, t := range e.Tokens {
			raw = wire.AppendMark(raw, t)
		}
	}
	text, marks := string(raw), make([]string, n)
	for i := range marks {
		marks[i] = text[i*wire.MarkLength : (i+1)*wire.MarkLength]
	}
	return marks
}

// compare compares the times at which tokens were found invalid, in Unix
// milliseconds and 0 for never, with the starts of their jobs. It returns the marks
// of tokens that are valid again, since their job starts later.
func compare(entries []wire.Entry, marks []string, found []float64) (dead []bool, valid []any) {
	at := 0
	for _, e := range entries {
		for range e.Tokens {
			switch when := found[at]; {
			case when == 0:
			case int64(when) > e.Start:
				if dead == nil {
					dead = make([]bool, len(marks))
				}
				dead[at] = true
			default:
				valid = append(valid, marks[at])
			}
			at++
		}
	}
	return dead, valid
}

func (inv *InvalidTokens) now() time.Time {
	if inv.Now == nil {
		return time.Now()
	}
	return inv.Now()
}
