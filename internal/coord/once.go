package coord

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Lua is what scripts share that do a part of a call's work. KEYS of theirs is
// the call's Key; did tells whether this call has done the part already, note
// that it has now.
const OnceLua = `
local function did(call, part) return redis.call('SISMEMBER', call, part) == 1 end
local function note(call, part)
  redis.call('SADD', call, part)
  redis.call('EXPIRE', call, 60)
end
`

// Key names a new call that works on a stream; it is in the stream's slot.
func CallKey(stream string) string {
	return wire.CallKey(stream, strings.ToLower(rand.Text()[:12]))
}

// deleteScript deletes entries of a stream.
//
//	KEYS: stream, call
//	ARGV: ids of entries
//	Returns of each whether it was there: 1, or 0.
var deleteScript = redis.NewScript(OnceLua + `
local out = {}
for i, id in ipairs(ARGV) do
  out[i] = redis.call('XDEL', KEYS[1], id)
  if out[i] == 1 then
    note(KEYS[2], id)
  elseif did(KEYS[2], id) then
    out[i] = 1
  end
end
return out
`)

// Delete deletes entries of a stream and tells of each whether this call, named
// by its Key, did it: otherwise somebody else has.
func DeleteEntries(ctx context.Context, rdb redis.UniversalClient, stream, call string, ids []string) ([]bool, error) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	got, err := deleteScript.Run(ctx, rdb, []string{stream, call}, args...).Int64Slice()
	if err != nil {
		return nil, fmt.Errorf("delete %d entries of %s: %w", len(ids), stream, err)
	}
	out := make([]bool, len(got))
	for i, n := range got {
		out[i] = n == 1
	}
	return out, nil
}
