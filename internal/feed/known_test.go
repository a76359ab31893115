package feed_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

// markInvalid marks tokens as invalid since a time in Unix milliseconds.
func markInvalid(t *testing.T, rdb *redis.Client, at int64, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		if err := rdb.ZAdd(t.Context(), wire.GoneKey("shop", "huawei"), redis.Z{Score: float64(at), Member: wire.Mark(token)}).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDeadComparesTheMarksTimeWithTheJobsStart(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	markInvalid(t, rdb, 5000, "a", "b", "again")
	known := &feed.InvalidTokens{Redis: rdb}
	entries := []wire.Entry{
		{Start: 4999, Tokens: []string{"a", "fine"}},
		{Start: 5000, Tokens: []string{"again"}},
		{Start: 1, Tokens: []string{"other", "b"}},
	}
	got, err := known.Dead(t.Context(), "shop", "huawei", entries)
	if want := []bool{true, false, false, false, true}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	left := rdb.ZRange(t.Context(), wire.GoneKey("shop", "huawei"), 0, -1).Val()
	if want := []string{wire.Mark("a"), wire.Mark("b")}; len(left) != 2 || !slices.Contains(left, want[0]) || !slices.Contains(left, want[1]) {
		t.Errorf("%d marks are left, want all except that of the token that is valid again", len(left))
	}
	for _, other := range [][2]string{{"shop", "honor"}, {"other", "huawei"}} {
		if got, err := known.Dead(t.Context(), other[0], other[1], entries); got != nil || err != nil {
			t.Errorf("%v: got %v, %v, want nil", other, got, err)
		}
	}
}

// counter counts commands.
type counter struct{ n *atomic.Int64 }

func (counter) DialHook(next redis.DialHook) redis.DialHook { return next }
func (counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (c counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmd)
	}
}

// An app without invalid tokens costs one command a second.
func TestAnAppWithoutInvalidTokensCostsOneCommandASecond(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	var commands atomic.Int64
	rdb.AddHook(counter{&commands})
	now := time.Unix(1_800_000_000, 0)
	known := &feed.InvalidTokens{Redis: rdb, Now: func() time.Time { return now }}
	entries := []wire.Entry{{Start: 1, Tokens: []string{"a"}}}
	ask := func(want bool) {
		t.Helper()
		got, err := known.Dead(t.Context(), "shop", "huawei", entries)
		if err != nil || (got != nil) != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	for range 1000 {
		ask(false)
	}
	if n := commands.Load(); n != 1 {
		t.Errorf("%d commands, want 1", n)
	}
	markInvalid(t, rdb, 5000, "a")
	now = now.Add(time.Second)
	commands.Store(0)
	for range 100 {
		ask(true)
	}
	if n := commands.Load(); n != 101 {
		t.Errorf("%d commands, want one for each call and one to refresh the cache", n)
	}
}

func BenchmarkDead(b *testing.B) {
	rdb := redistest.Client(b)
	e := wire.Entry{Start: 1}
	for i := range 1000 {
		e.Tokens = append(e.Tokens, fmt.Sprintf("%0130d", i))
	}
	rdb.ZAdd(b.Context(), wire.GoneKey("shop", "huawei"), redis.Z{Score: 1, Member: wire.Mark("x")})
	known := &feed.InvalidTokens{Redis: rdb}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := known.Dead(b.Context(), "shop", "huawei", []wire.Entry{e}); err != nil {
			b.Fatal(err)
		}
	}
}
