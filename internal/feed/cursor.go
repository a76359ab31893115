package feed

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// firstID is an id that every entry follows.
const firstID = "0-0"

// advanceScript moves the webhook's cursor on, unless another worker did.
//
//	KEYS: cursor
//	ARGV: where it was, where it shall be
//	Returns 1, or 0 if it was somewhere else.
var advanceScript = redis.NewScript(`
if (redis.call('GET', KEYS[1]) or '0-0') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
`)

// advance notes what the webhook took. It is done even while ctx ends: what was
// taken need not be told again.
func (w *Webhook) advance(ctx context.Context, from, to string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	n, err := advanceScript.Run(ctx, w.Redis, []string{wire.WebhookCursorKey}, from, to).Int()
	switch {
	case err != nil:
		return fmt.Errorf("move the webhook's cursor: %w", err)
	case n == 0:
		return errMoved
	}
	return nil
}

const (
	// mostCounted bounds the counting of the lag, and countEvery is how often it
	// is done: Redis has to walk through all of them.
	mostCounted = 10_000
	countEvery  = 10 * time.Second
)

// lagScript counts the entries behind the cursor.
//
//	KEYS: feed
//	ARGV: cursor, most to count
var lagScript = redis.NewScript(`
return #redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
`)

// measure tells the meter of the lag; next are the entries whose turn it is. It
// is for people, so it may fail.
func (w *Webhook) measure(ctx context.Context, cursor string, next []Entry) {
	n := len(next)
	if n == perCall {
		if time.Since(w.counted) < countEvery {
			return
		}
		w.counted = time.Now()
		if all, err := lagScript.Run(ctx, w.Redis, []string{wire.InvalidStream}, cursor, mostCounted).Int(); err == nil {
			n = all
		}
	}
	ms, _, _ := strings.Cut(next[0].ID, "-")
	at, err := strconv.ParseInt(ms, 10, 64)
	if err == nil {
		w.Meter.Behind(n, max(0, time.Since(time.UnixMilli(at))))
	}
}
