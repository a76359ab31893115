package redistest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
)

func TestProxyBreaksTheGivenCommand(t *testing.T) {
	t.Parallel()
	direct := redistest.Client(t)
	proxy, flaky := redistest.Flaky(t, direct)
	for _, c := range []struct {
		name   string
		faults redistest.Faults
		want   int64 // go-redis repeats a command whose reply was lost
		sent   int
	}{
		{"nothing", nil, 1, 1},
		{"the command is lost", redistest.Nth(1, redistest.LoseCommand), 1, 2},
		{"the answer is lost", redistest.Nth(1, redistest.LoseAnswer), 2, 2},
		{"the answer by name", redistest.Named("incr", redistest.LoseAnswer), 2, 2},
		{"another command", redistest.Named("get", redistest.LoseAnswer), 1, 1},
	} {
		direct.FlushDB(t.Context())
		proxy.Break(c.faults)
		if err := flaky.Incr(t.Context(), "n").Err(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if sent := proxy.Commands(); sent != c.sent {
			t.Errorf("%s: %d commands were sent, want %d", c.name, sent, c.sent)
		}
		if got, _ := direct.Get(t.Context(), "n").Int64(); got != c.want {
			t.Errorf("%s: it was applied %d times, want %d", c.name, got, c.want)
		}
	}
}

func TestProxyBreaksAPipelineInItsMiddle(t *testing.T) {
	t.Parallel()
	direct := redistest.Client(t)
	proxy, flaky := redistest.Flaky(t, direct)
	proxy.Break(redistest.Nth(2, redistest.LoseAnswer))
	_, err := flaky.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for _, key := range []string{"a", "b", "c"} {
			p.Incr(t.Context(), key)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := direct.MGet(t.Context(), "a", "b", "c").Val()
	if got[0] != "2" || got[1] != "2" || got[2] != "1" {
		t.Errorf("a, b, c were applied %v times, want 2, 2, 1", got)
	}
}

func TestProxyForwardsEverythingElseUnchanged(t *testing.T) {
	t.Parallel()
	direct := redistest.Client(t)
	proxy, flaky := redistest.Flaky(t, direct)
	proxy.Delay(20 * time.Millisecond)
	long := strings.Repeat("\r\n$5\r\n", 100_000)
	begun := time.Now()
	if err := flaky.HSet(t.Context(), "h", "long", long, "none", "").Err(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 20*time.Millisecond {
		t.Errorf("a delayed command took %v", took)
	}
	got, err := flaky.HGetAll(t.Context(), "h").Result()
	if err != nil || got["long"] != long || len(got) != 2 {
		t.Errorf("got %d fields, %d bytes, %v", len(got), len(got["long"]), err)
	}
}

func TestProxyBreaksAShareOfAllCommandsByItsSeed(t *testing.T) {
	t.Parallel()
	count := func(seed uint64) (lost [3]int) {
		f := redistest.Sometimes(seed, 0.1)
		for n := range 10_000 {
			lost[f(n, "get")]++
		}
		return lost
	}
	if a, b := count(1), count(1); a != b || a[redistest.LoseCommand] < 800 || a[redistest.LoseAnswer] < 800 || a[redistest.None] < 7500 {
		t.Errorf("got %v and %v, want the same, a tenth of each fault", a, b)
	}
}
