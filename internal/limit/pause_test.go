package limit

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
)

func paused(t *testing.T, l *Limiter, bucket string, want time.Duration, why string) {
	t.Helper()
	p := l.Pass(t.Context(), shop(), []string{bucket}, time.Second)
	left, reason, ok := p.Until.Sub(l.now()), p.Why, !p.Until.IsZero()
	if ok != (want > 0) || ok && (left > want || left < want-2*time.Millisecond || reason != why) {
		t.Errorf("bucket %q is paused %v for %v (%q), want %v (%q)", bucket, ok, left, reason, want, why)
	}
}

func pause(t *testing.T, l *Limiter, bucket string, d time.Duration, why string) {
	t.Helper()
	if _, err := l.Pause(t.Context(), shop(), bucket, l.now().Add(d), why); err != nil {
		t.Fatal(err)
	}
}

func TestABucketIsPausedWithItsWholeKey(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := timed(redistest.Client(t), c, 1)[0]
	paused(t, l, "marketing", 0, "")
	pause(t, l, "marketing", time.Minute, "quota used up")
	paused(t, l, "marketing", time.Minute, "quota used up")
	paused(t, l, "service", 0, "")
	paused(t, l, "", 0, "")
	pause(t, l, "", time.Hour, "wrong credentials: see the log")
	for _, bucket := range []string{"", "marketing", "service"} {
		paused(t, l, bucket, time.Hour, "wrong credentials: see the log")
	}
	pause(t, l, "", time.Second, "shorter")
	paused(t, l, "", time.Hour, "wrong credentials: see the log")
	if _, err := l.Resume(t.Context(), shop(), ""); err != nil {
		t.Fatal(err)
	}
	paused(t, l, "", 0, "")
	paused(t, l, "marketing", time.Minute, "quota used up")
	c.forward(time.Minute)
	paused(t, l, "marketing", 0, "")
	pause(t, l, "past", -time.Minute, "long ago")
	paused(t, l, "past", 0, "")
}

func TestOtherWorkersSeeAPauseAndItsEnd(t *testing.T) {
	t.Parallel()
	c := newClock()
	both := timed(redistest.Client(t), c, 2)
	paused(t, both[1], "", 0, "")
	pause(t, both[0], "", time.Minute, "why")
	c.forward(freshTime)
	paused(t, both[1], "", time.Minute-freshTime, "why")
	if _, err := both[0].Resume(t.Context(), shop(), ""); err != nil {
		t.Fatal(err)
	}
	c.forward(freshTime)
	paused(t, both[1], "", 0, "")
}

// reads counts the commands that a client sends.
type reads struct{ n atomic.Int64 }

func (r *reads) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r *reads) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		r.n.Add(1)
		return next(ctx, cmd)
	}
}

func (r *reads) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// A worker for many apps does not read the pauses of each ten times a second.
func TestManyKeysCostNoMoreThanAFewHundredReadsASecond(t *testing.T) {
	t.Parallel()
	for keys, want := range map[int][2]int64{
		1:   {9, 11}, // every 100 ms
		20:  {180, 220},
		100: {180, 220}, // every 500 ms
		400: {380, 420}, // every second at least
	} {
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			t.Parallel()
			c, r := newClock(), &reads{}
			client := redistest.Client(t)
			client.AddHook(r)
			l := timed(client, c, 1)[0]
			second := func() int64 {
				before := r.n.Load()
				for range 20 {
					for i := range keys {
						l.Pass(t.Context(), Key{fmt.Sprint("app-", i), "huawei"}, nil, time.Second)
					}
					c.forward(50 * time.Millisecond)
				}
				return r.n.Load() - before
			}
			second() // how many keys there are is seen in a second
			if n := second(); n < want[0] || n > want[1] {
				t.Errorf("%d keys cost %d reads in a second, want %d to %d", keys, n, want[0], want[1])
			}
		})
	}
	t.Run("when most of them are not used any more", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		l := timed(redistest.Client(t), c, 1)[0]
		for i := range 400 {
			l.Pass(t.Context(), Key{fmt.Sprint("app-", i), "huawei"}, nil, time.Second)
		}
		for range 3 {
			c.forward(time.Second)
			l.Pass(t.Context(), shop(), nil, time.Second)
		}
		if _, age := l.inUse(shop()); age != freshTime {
			t.Errorf("the copy may be %v old, want %v", age, freshTime)
		}
	})
}

func TestAPauseIsSeenWithin200ms(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	one, other := &Limiter{Redis: client}, &Limiter{Redis: client}
	paused(t, other, "", 0, "")
	pause(t, one, "", time.Minute, "why")
	start := time.Now()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for range again.C {
		ok := !other.Pass(t.Context(), shop(), nil, 0).Until.IsZero()
		if took := time.Since(start); ok || took > 2*time.Second {
			if took > 200*time.Millisecond {
				t.Errorf("it took %v, want 200 ms", took)
			}
			return
		}
	}
}

func TestWorkersWhoseClocksDifferPauseForTheSameTime(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	fast := &Limiter{Redis: client, Now: func() time.Time { return time.Now().Add(5 * time.Second) }}
	pause(t, fast, "", time.Minute, "why")
	for _, ahead := range []time.Duration{0, -5 * time.Second, 5 * time.Second} {
		other := &Limiter{Redis: client, Now: func() time.Time { return time.Now().Add(ahead) }}
		p := other.Pass(t.Context(), shop(), nil, 0)
		if left := p.Until.Sub(other.now()); left < 58*time.Second || left > time.Minute {
			t.Errorf("a worker %v ahead pauses for %v, want a minute", ahead, left)
		}
	}
}

// A quota's window must not be met too early, however slow Redis is and however
// odd the time.
func TestAPauseIsNeverSeenToEndEarly(t *testing.T) {
	t.Parallel()
	c := newClock()
	l := timed(redistest.Client(t), c, 1)[0]
	until := c.now().Add(time.Hour + 500*time.Microsecond)
	if _, err := l.Pause(t.Context(), shop(), "public", until, "used up"); err != nil {
		t.Fatal(err)
	}
	quick := l.redisNow
	for name, redisNow := range map[string]func() int64{
		"a quick Redis": quick,
		"a Redis that takes 3 ms": func() int64 {
			c.forward(3 * time.Millisecond)
			return quick()
		},
	} {
		l.redisNow = redisNow
		c.forward(time.Second)
		if got := l.Pass(t.Context(), shop(), []string{"public"}, 0).Until; got.Before(until) || got.After(until.Add(5*time.Millisecond)) {
			t.Errorf("with %s the pause ends at %v, want %v or a moment later", name, got, until)
		}
	}
}

func TestPausesAreReadAtMostEvery100msAndNotWhenIdle(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	c := newClock()
	l := timed(client, c, 1)[0]
	paused(t, l, "", 0, "")
	calls := 0
	client.AddHook(counter{&calls})
	for range 1000 { // one second
		c.forward(time.Millisecond)
		paused(t, l, "", 0, "")
	}
	if calls != 10 {
		t.Errorf("1,000 questions in a second took %d calls, want 10", calls)
	}
	c.forward(time.Hour)
	if calls != 10 {
		t.Errorf("idle it made %d calls", calls-10)
	}
}

func TestPausesEndInRedisToo(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	l := &Limiter{Redis: client}
	for _, d := range []time.Duration{time.Hour, time.Minute, 24 * time.Hour, 10 * time.Minute} {
		pause(t, l, d.String(), d, "why")
	}
	if left := client.PTTL(t.Context(), "postrider:pause:{shop:huawei}").Val(); left < 23*time.Hour || left > 24*time.Hour {
		t.Errorf("the key lives %v, want as long as the longest pause", left)
	}
}

func TestWithoutRedisEverythingPauses(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	c := newClock()
	l := timed(client, c, 1)[0]
	paused(t, l, "", 0, "")
	server.Kill()
	paused(t, l, "", 0, "") // known for 100 ms
	c.forward(freshTime)
	p := l.Pass(t.Context(), shop(), nil, 0)
	if p.Until.Sub(c.now()) != unknownTime || !strings.HasPrefix(p.Why, "read pauses: ") {
		t.Errorf("Pass = %+v, want a second and why", p)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if p := l.Pass(ctx, shop(), nil, 0); p.Until.IsZero() {
		t.Error("a cancelled caller is told to go on")
	}
}

func FuzzState(f *testing.F) {
	f.Add("1800000000000000", "1800000060000000", "marketing", "1800000060000000 quota used up")
	f.Add("", "", "", "")
	f.Add("-9223372036854775808", "9223372036854775807", "", "9223372036854775807 x")
	f.Add("1", "0", "", "9223372036854775807")
	f.Fuzz(func(t *testing.T, redisNow, until, bucket, value string) {
		now := time.Unix(1_800_000_000, 0)
		st := parseState([]string{redisNow, "0.5", "config", until, "why", "1", until, until, "x", "1", "1", bucket, value, bucket, value}, now)
		for _, p := range st.Pauses {
			if p.Bucket != bucket || !p.Until.After(now) || p.Until.Sub(now) > maxPause {
				t.Fatalf("%q at %q reads as %v", value, redisNow, p)
			}
		}
		if st.Stop == nil || st.Stop.Until.Sub(now) > maxPause {
			t.Fatalf("%q at %q reads as %v", until, redisNow, st.Stop)
		}
	})
}
