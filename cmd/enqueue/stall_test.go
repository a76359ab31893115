package main

import (
	"context"
	"io"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Workers remove the staged chunks of a dead producer, so the command refreshes
// its heartbeat while it waits for input.
func TestSendRefreshesItsHeartbeatWhileItsInputStalls(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	in, out := io.Pipe()
	done := make(chan result, 1)
	go func() {
		done <- d.runWith(context.Background(), in, notification("--targets", "-", "--id", "a")...)
		_ = in.Close() // ends a write that is still blocked
	}()
	go func() { _, _ = io.WriteString(out, csv(1000)) }() // chunks have ten tokens
	heartbeat := func() float64 { return d.rdb.ZScore(t.Context(), wire.StagingKey, "a").Val() }
	d.waitUntil(t, func() bool { return heartbeat() > 0 && d.rdb.HLen(t.Context(), wire.StagedKey("a")).Val() >= 90 })
	for range 2 { // the first refresh may come from staging a chunk
		if err := d.rdb.ZAdd(t.Context(), wire.StagingKey, redis.Z{Score: 1, Member: "a"}).Err(); err != nil { // long ago
			t.Fatal(err)
		}
		d.waitUntil(t, func() bool { return heartbeat() > 1 })
	}
	_ = out.Close()
	if got := <-done; got.code != 0 {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
	if heartbeat() != 0 {
		t.Error("the job is still listed as being staged")
	}
}
