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

// goneFor is how long it is remembered whether an app has any invalid token at a vendor.
// A token that becomes invalid meanwhile is sent to once more at worst.
const goneFor = time.Second

// maxKnown is for how many apps and vendors that is remembered; others are read each
// time.
const maxKnown = 1000

// Gone knows the tokens that are to be deleted according to the feed, by their marks. It
// is safe for concurrent use; Redis must be set.
type Gone struct {
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

// Dead tells for each token of the entries, in order, whether it was found invalid after
// its job's start; nil: none was. A token whose job started later is regarded as valid
// again, and its mark is deleted. It costs one round trip, and a second one to delete
// marks; none while the app has no invalid token.
func (g *Gone) Dead(ctx context.Context, app, vendor string, entries []wire.Entry) ([]bool, error) {
	key := wire.GoneKey(app, vendor)
	found, err := g.some(ctx, key)
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
	if err := g.Redis.Process(ctx, cmd); err != nil {
		return nil, fmt.Errorf("look for dead tokens: %w", err)
	}
	dead, believed := judge(entries, marks, cmd.Val())
	if len(believed) > 0 {
		if err := g.Redis.ZRem(ctx, key, believed...).Err(); err != nil {
			return nil, fmt.Errorf("forget dead tokens: %w", err)
		}
	}
	return dead, nil
}

// some tells whether there is any mark, as of at most goneFor ago.
func (g *Gone) some(ctx context.Context, key string) (bool, error) {
	g.mu.Lock()
	k := g.known[key]
	g.mu.Unlock()
	if g.now().Before(k.until) {
		return k.any, nil
	}
	n, err := g.Redis.Exists(ctx, key).Result()
	if err != nil {
		return false, fmt.Errorf("look for dead tokens: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil {
		g.known = map[string]known{}
	}
	if len(g.known) >= maxKnown { // tasks may name any app
		maps.DeleteFunc(g.known, func(_ string, k known) bool { return !g.now().Before(k.until) })
	}
	if len(g.known) >= maxKnown {
		return n > 0, nil
	}
	g.known[key] = known{any: n > 0, until: g.now().Add(goneFor)}
	return n > 0, nil
}

func (g *Gone) now() time.Time {
	if g.Now == nil {
		return time.Now()
	}
	return g.Now()
}

// marksOf are the marks of all tokens, in one piece of memory.
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

// judge compares when tokens were found invalid, in Unix milliseconds, 0 for never, with
// the start of their jobs. The tokens of later jobs are believed.
func judge(entries []wire.Entry, marks []string, found []float64) (dead []bool, believed []any) {
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
				believed = append(believed, marks[at])
			}
			at++
		}
	}
	return dead, believed
}
