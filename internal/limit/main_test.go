package limit

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

func shop() Key { return Key{"shop", "huawei"} }

// clock is a clock that is put forward by hand, for a worker and for Redis.
type clock struct{ us atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.us.Store(time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC).UnixMicro())
	return c
}

func (c *clock) now() time.Time          { return time.UnixMicro(c.us.Load()) }
func (c *clock) forward(d time.Duration) { c.us.Add(d.Microseconds()) }

// timed returns n limiters on one Redis, all of them going by c.
func timed(client redis.UniversalClient, c *clock, n int) []*Limiter {
	all := make([]*Limiter, n)
	for i := range all {
		all[i] = &Limiter{Redis: client, Now: c.now, redisNow: c.us.Load}
	}
	return all
}

func take(t *testing.T, l *Limiter, lim Limit, n int, high bool) time.Duration {
	t.Helper()
	wait, err := l.Take(t.Context(), shop(), lim, n, high)
	if err != nil {
		t.Fatal(err)
	}
	return wait
}
