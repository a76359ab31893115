package coord

import (
	"context"
	_ "embed"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed take.lua
var takeSource string

var takeScript = redis.NewScript(takeSource)

// Take takes a key for a while if nobody has it, as a lock or a turn; me is a
// name that nobody else has and that was not used before. A plain SET NX that is
// sent again reads as if somebody else had the key.
func Take(ctx context.Context, rdb redis.Scripter, key, me string, life time.Duration) (bool, error) {
	return takeScript.Run(ctx, rdb, []string{key}, me, life.Milliseconds()).Bool()
}
