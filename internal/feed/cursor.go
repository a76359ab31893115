package feed

import (
	"context"
	"embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/push/lua"
	"github.com/postrider/postrider/pkg/push/wire"
)

// firstID is an id that every entry follows.
const firstID = "0-0"

//go:embed *.lua
var scripts embed.FS

var (
	advanceScript = lua.Load(scripts, "advance.lua")
	confirmScript = lua.Load(scripts, "confirm.lua")
	lagScript     = lua.Load(scripts, "lag.lua")
)

// advance notes what the webhook took. It is done even while ctx ends: what was
// taken need not be told again.
func (w *Webhook) advance(ctx context.Context, from, to string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	n, err := advanceScript.Call().Key("cursor", wire.WebhookCursorKey).Arg("from", from).Arg("to", to).Run(ctx, w.Redis).Int()
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

// measure tells the meter of the lag; next are the entries whose turn it is. It
// is for people, so it may fail.
func (w *Webhook) measure(ctx context.Context, cursor string, next []Entry) {
	n := len(next)
	if n == perCall {
		if time.Since(w.counted) < countEvery {
			return
		}
		w.counted = time.Now()
		lag := lagScript.Call().Key("feed", wire.InvalidStream).Arg("cursor", cursor).Arg("most", mostCounted)
		if all, err := lag.Run(ctx, w.Redis).Int(); err == nil {
			n = all
		}
	}
	ms, _, _ := strings.Cut(next[0].ID, "-")
	at, err := strconv.ParseInt(ms, 10, 64)
	if err == nil {
		w.Meter.Behind(n, max(0, time.Since(time.UnixMilli(at))))
	}
}
