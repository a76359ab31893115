package push_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
)

// nowhere is a hook that answers "ok" to every script instead of Redis.
type nowhere struct{ crash }

func (nowhere) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			cmd.(*redis.Cmd).SetVal([]any{"ok", "owner"})
		}
		return nil
	}
}

// campaign makes tokens as long as Huawei's, each time in the same memory.
type campaign struct {
	stream *push.Stream
	token  []byte
}

func newCampaign(tb testing.TB) *campaign {
	tb.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:0"})
	tb.Cleanup(func() { _ = rdb.Close() })
	rdb.AddHook(&nowhere{})
	s, err := newClient(tb, rdb, big).Open(job("j"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Abort(context.WithoutCancel(tb.Context())) })
	return &campaign{stream: s, token: []byte(strings.Repeat("AbC_-0", 20) + "0000000000")}
}

func (c *campaign) add(ctx context.Context, tb testing.TB) {
	for i := len(c.token) - 1; ; i-- {
		if c.token[i]++; c.token[i] <= '9' {
			break
		}
		c.token[i] = '0'
	}
	if err := c.stream.Add(ctx, 1, "big", c.token); err != nil {
		tb.Fatal(err)
	}
}

func BenchmarkStreamAdd(b *testing.B) {
	c := newCampaign(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(c.token)))
	ctx := b.Context()
	for n := 0; b.Loop(); n++ {
		if n == 1_000_000 { // a usual campaign; the set of tokens seen grows with it
			b.StopTimer()
			c, n = newCampaign(b), 0
			b.StartTimer()
		}
		c.add(ctx, b)
	}
}

// It does not run in parallel: AllocsPerRun counts the allocations of all goroutines.
func TestAStreamAllocatesPerChunkAndNotPerToken(t *testing.T) {
	c := newCampaign(t)
	for range 100_000 { // the set of tokens seen has just grown, and will not again below
		c.add(t.Context(), t)
	}
	const chunks = 20
	perChunk := testing.AllocsPerRun(1, func() {
		for range chunks * 1000 {
			c.add(t.Context(), t)
		}
	}) / chunks
	if perChunk > 60 {
		t.Errorf("%.0f allocations per chunk of 1000 tokens, want 60 at most", perChunk)
	}
}

func BenchmarkEnqueueMany(b *testing.B) {
	const size = 1000
	rdb := redistest.Start(b).Client(b)
	c := newClient(b, rdb, big)
	jobs := make([]push.Job, size)
	b.ReportAllocs()
	for turn := 0; b.Loop(); turn++ {
		for i := range jobs {
			jobs[i] = to(job(fmt.Sprintf("j%d.%d", turn, i)), "big", "token")
		}
		for _, o := range c.EnqueueMany(b.Context(), jobs) {
			if o.Err != nil {
				b.Fatal(o.Err)
			}
		}
	}
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "jobs/s")
}
