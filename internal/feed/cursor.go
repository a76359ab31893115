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

// firstID is before the id of every entry.
const firstID = "0-0"

//go:embed *.lua
var scripts embed.FS

var (
	advanceScript = lua.Load(scripts, "advance.lua")
	confirmScript = lua.Load(scripts, "confirm.lua")
	lagScript     = lua.Load(scripts, "lag.lua")
)

// advance stores the position after the entries that the webhook accepted, even if
// ctx has ended, so that they are not sent again.
func (w *Webhook) advance(ctx context.Context, from, to string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	n, err := advanceScript.Call().Key("cursor", wire.WebhookCursorKey).Arg("from", from).Arg("to", to).Run(ctx, w.Redis).Int()
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

// measure reports the lag; next are the next entries. It is only for people, so it may
// fail.
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
