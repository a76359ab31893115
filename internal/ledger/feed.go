package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	// feedOnce is for how long a token that did not come from a step does not
	// enter the feed again for the same code.
	feedOnce = 24 * time.Hour
	// perFeed is the most entries of one call of the script.
	perFeed = 500
)

// Found is what was heard of an app's tokens at a vendor other than in the
// answer to a request.
type Found struct {
	App, Vendor string
	// Source names the counters of the guard; answers of one source are judged
	// among themselves. Answered is how many tokens were heard of, invalid ones
	// included; 0: nobody knows, and the guard's last judgement over Source holds.
	Source   string
	Answered int
	Invalid  []InvalidToken
}

// feedScript adds entries to the feed, each unless the same was added not long ago.
//
//	KEYS: call's answer, feed, held entries, guard, marks, then of each entry: what tells that it was added
//	ARGV: now (Unix s), keep of marks (s), how long an entry is known (s),
//	      tokens answered, tokens invalid among them, guard's least (0: it is off) and ratio,
//	      of each entry: mark, its time (ms), number of words, words
//	Returns how many were added, and 0 if they were fed, 1 if held, 2 if held for the first time.
var feedScript = redis.NewScript(foundLua + `
local before = redis.call('GET', KEYS[1])
if before then
  local n, held = string.match(before, '(%d+) (%d+)')
  return {tonumber(n), tonumber(held)}
end
local now, n, a = tonumber(ARGV[1]), 0, 8
local held = judge(KEYS[4], now, tonumber(ARGV[4]), tonumber(ARGV[5]), #KEYS > 5, tonumber(ARGV[6]), tonumber(ARGV[7]))
for k = 6, #KEYS do
  local words = tonumber(ARGV[a + 2])
  if redis.call('SET', KEYS[k], '', 'NX', 'EX', ARGV[3]) then
    found(held > 0, KEYS[2], KEYS[3], KEYS[5], ARGV[a], ARGV[a + 1], a + 3, a + 2 + words)
    n = n + 1
  end
  a = a + 3 + words
end
if #KEYS > 5 then forget(KEYS[5], now, tonumber(ARGV[2])) end
redis.call('SET', KEYS[1], n .. ' ' .. held, 'EX', 60)
return {n, held}
`)

// Feed adds invalid tokens to the feed, or has them held, each at most once a
// day for the same code: adding the same again, after an error, is safe. It
// answers how many were added, and where.
func (s *Store) Feed(ctx context.Context, f Found) (added int, standing Standing, err error) {
	for len(f.Invalid) > 0 || f.Answered > 0 {
		part := f
		part.Invalid = f.Invalid[:min(perFeed, len(f.Invalid))]
		f.Invalid = f.Invalid[len(part.Invalid):]
		// The first part counts them all: it is to be judged by all.
		keys, args := s.feedArgs(part, len(part.Invalid)+len(f.Invalid))
		got, err := feedScript.Run(ctx, s.Redis, keys, args...).Int64Slice()
		if err != nil || len(got) != 2 {
			return added, standing, fmt.Errorf("feed invalid tokens: %w", err)
		}
		added, standing = added+int(got[0]), max(standing, Standing(got[1]))
		f.Answered = 0
	}
	return added, standing, nil
}

func (s *Store) feedArgs(f Found, invalid int) ([]string, []any) {
	now := s.now()
	if f.Answered == 0 {
		invalid = 0
	}
	keys := []string{coord.CallKey(wire.InvalidStream), wire.InvalidStream, wire.HeldStream, wire.GuardKey(f.App, f.Vendor, f.Source), wire.GoneKey(f.App, f.Vendor)}
	args := []any{
		now.Unix(), int64(s.keep() / time.Second), int64(feedOnce / time.Second),
		f.Answered, invalid, s.Guard.Min, s.Guard.Ratio,
	}
	keys, args = slices.Grow(keys, len(f.Invalid)), slices.Grow(args, 21*len(f.Invalid))
	for _, t := range f.Invalid {
		keys = append(keys, wire.FedKey(digest(t)))
		args = t.appendTo(args, now)
	}
	return keys, args
}

// digest identifies app, vendor, token and code without showing the token.
func digest(t InvalidToken) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{t.App, t.Vendor, t.Token, t.Code}, "\n")))
	return hex.EncodeToString(sum[:16])
}
