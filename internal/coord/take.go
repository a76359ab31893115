package coord

import (
	"context"
	"embed"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/lua"
)

//go:embed *.lua
var scripts embed.FS

var (
	takeScript    = lua.Load(scripts, "take.lua")
	renewScript   = lua.Load(scripts, "renew.lua")
	releaseScript = lua.Load(scripts, "release.lua")
	deleteScript  = lua.Load(scripts, "delete_entries.lua")
)

// Take takes a key for a while if no one else has it, as a lock or a turn; me is a
// name that nobody else has and that was not used before. A plain SET NX that is
// sent again looks as if another caller had the key.
func Take(ctx context.Context, rdb redis.Scripter, key, me string, life time.Duration) (bool, error) {
	return takeScript.Call().Key("key", key).Arg("me", me).Arg("life", life.Milliseconds()).Run(ctx, rdb).Bool()
}

// Release deletes a key that still has the value: a lock that Take took for it,
// or a value that nobody has replaced. It does nothing otherwise.
func Release(ctx context.Context, rdb redis.Scripter, key, value string) error {
	return releaseScript.Call().Key("key", key).Arg("value", value).Run(ctx, rdb).Err()
}
