package retry_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/pkg/retry"
)

// almost is about the largest possible jitter.
const almost = 1 - 1e-9

func TestDelayDoublesAndIsSpreadOverItsUpperHalf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		attempt     int
		least, most string
	}{
		{1, "500ms", "1s"},
		{2, "1s", "2s"},
		{3, "2s", "4s"},
		{4, "4s", "8s"},
		{5, "8s", "16s"},
		{6, "16s", "32s"},
		{7, "32s", "1m4s"},
		{8, "1m4s", "2m8s"},
		{10, "4m16s", "8m32s"},
		{11, "5m0s", "10m0s"},
		{1000, "5m0s", "10m0s"},
	} {
		t.Run(fmt.Sprintf("after attempt %d", c.attempt), func(t *testing.T) {
			t.Parallel()
			p := retry.Default()
			if got := p.Delay(c.attempt, 0).String(); got != c.least {
				t.Errorf("shortest delay %s, want %s", got, c.least)
			}
			if got := p.Delay(c.attempt, almost).Round(time.Millisecond).String(); got != c.most {
				t.Errorf("longest delay %s, want %s", got, c.most)
			}
		})
	}
}

func TestEightRequestsTakeAboutTwoMinutes(t *testing.T) {
	t.Parallel()
	p := retry.Default()
	if p.Attempts != 8 {
		t.Fatalf("the default is %d attempts, want 8", p.Attempts)
	}
	var all time.Duration
	for n := 1; n < p.Attempts; n++ {
		all += p.Delay(n, almost)
	}
	if got := all.Round(time.Second); got != 127*time.Second {
		t.Errorf("got %v, want 2m7s", got)
	}
}

func TestAttemptZeroHasNoDelay(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, -1} {
		if got := retry.Default().Delay(n, almost); got != 0 {
			t.Errorf("attempt %d: got %v, want 0", n, got)
		}
	}
}

func TestDelayStaysWithinItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := retry.Policy{First: time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "first"))}
		p.Max = p.First + time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "more"))
		n := rapid.IntRange(1, 1000).Draw(t, "attempt")
		jitter := rapid.Float64Range(0, almost).Draw(t, "jitter")
		got, next := p.Delay(n, jitter), p.Delay(n+1, jitter)
		if got < p.First/2 || got > p.Max || next < got {
			t.Fatalf("got %v and then %v, want them to grow from %v to %v", got, next, p.First/2, p.Max)
		}
	})
}
