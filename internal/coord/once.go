package coord

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// CallKey names a new call that works on a stream: scripts that use "once" from
// wire/prelude note there which parts of it they have done. It is in the stream's
// slot.
func CallKey(stream string) string {
	return wire.CallKey(stream, strings.ToLower(rand.Text()[:12]))
}

// DeleteEntries deletes entries of a stream and reports for each whether this call,
// named by its CallKey, deleted it; false: another caller did.
func DeleteEntries(ctx context.Context, rdb redis.UniversalClient, stream, call string, ids []string) ([]bool, error) {
	c := deleteScript.Call().Grow(0, len(ids)).Key("stream", stream).Key("call", call)
	for _, id := range ids {
		c.Row("entry").Arg("id", id)
	}
	got, err := c.Run(ctx, rdb).Int64Slice()
	if err != nil {
		return nil, fmt.Errorf("delete %d entries of %s: %w", len(ids), stream, err)
	}
	out := make([]bool, len(got))
	for i, n := range got {
		out[i] = n == 1
	}
	return out, nil
}
