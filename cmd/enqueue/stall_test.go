package main

import (
	"context"
	"io"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Workers take back what a dead producer has staged, so the command shows them
// that it lives while it waits for its input.
func TestSendShowsLifeWhileItsInputStalls(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	in, out := io.Pipe()
	done := make(chan said, 1)
	go func() {
		done <- d.runWith(context.Background(), in, notification("--targets", "-", "--id", "a")...)
		_ = in.Close() // whoever writes still
	}()
	go func() { _, _ = io.WriteString(out, csv(1000)) }() // chunks have ten tokens
	sign := func() float64 { return d.rdb.ZScore(t.Context(), wire.StagingKey, "a").Val() }
	d.until(t, func() bool { return sign() > 0 && d.rdb.HLen(t.Context(), wire.StagedKey("a")).Val() >= 90 })
	for range 2 { // the first may still be of a chunk that is staged
		if err := d.rdb.ZAdd(t.Context(), wire.StagingKey, redis.Z{Score: 1, Member: "a"}).Err(); err != nil { // long ago
			t.Fatal(err)
		}
		d.until(t, func() bool { return sign() > 1 })
	}
	_ = out.Close()
	if got := <-done; got.code != 0 {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
	if sign() != 0 {
		t.Error("the job is still said to be staged")
	}
}
