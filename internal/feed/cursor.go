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

// firstID is before the id of every entry.
const firstID = "0-0"

// advanceScript advances the webhook's cursor, unless another worker did.
//
//	KEYS: cursor
//	ARGV: old position, new position
//	Returns 1, or 0 if the position was another one.
var advanceScript = redis.NewScript(`
if (redis.call('GET', KEYS[1]) or '0-0') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
`)

// advance stores the position after the entries that the webhook accepted, even if
// ctx has ended, so that they are not sent again.
func (w *Webhook) advance(ctx context.Context, from, to string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	n, err := advanceScript.Run(ctx, w.Redis, []string{wire.WebhookCursorKey}, from, to).Int()
	switch {
	case err != nil:
		return fmt.Errorf("advance the webhook's cursor: %w", err)
	case n == 0:
		return errMoved
	}
	return nil
}

const (
	// The lag is counted up to mostCounted, and at most once in countEvery, since
	// Redis has to read all entries for it.
	mostCounted = 10_000
	countEvery  = 10 * time.Second
)

// lagScript counts the entries after the cursor.
//
//	KEYS: feed
//	ARGV: cursor, maximum
var lagScript = redis.NewScript(`
return #redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
`)

// measure updates the metrics of the lag. next are the entries to be sent now.
// Errors are ignored: nothing depends on the metrics.
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
