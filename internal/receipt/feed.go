package receipt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
)

// feedOnce is for how long a token does not enter the feed again for the same code.
const feedOnce = 24 * time.Hour

// feedScript adds an entry to the feed, unless the same was added not long ago.
//
//	KEYS: feed, mark
//	ARGV: how long the mark stays (s), then the entry's words
var feedScript = redis.NewScript(`
if not redis.call('SET', KEYS[2], '', 'NX', 'EX', ARGV[1]) then return 0 end
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
return 1
`)

// Feed adds tokens to the feed of invalid tokens in one round trip, each at
// most once a day for the same code.
func (s *Store) Feed(ctx context.Context, all []ledger.InvalidToken) error {
	if len(all) == 0 {
		return nil
	}
	for again := false; ; again = true {
		_, err := s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, t := range all {
				args := append([]any{int64(feedOnce / time.Second)}, t.Fields()...)
				feedScript.EvalSha(ctx, p, []string{wire.InvalidStream, wire.FedKey(digest(t))}, args...)
			}
			return nil
		})
		switch {
		case err == nil:
			return nil
		case again || !redis.HasErrorPrefix(err, "NOSCRIPT"):
			return fmt.Errorf("feed invalid tokens: %w", err)
		}
		if err := feedScript.Load(ctx, s.Redis).Err(); err != nil {
			return fmt.Errorf("load feed script: %w", err)
		}
	}
}

// digest identifies app, vendor, token and code without showing the token.
func digest(t ledger.InvalidToken) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{t.App, t.Vendor, t.Token, t.Code}, "\n")))
	return hex.EncodeToString(sum[:16])
}
