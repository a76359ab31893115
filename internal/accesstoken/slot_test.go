package accesstoken

import (
	"testing"
	"time"
)

func TestWhenATokenIsRenewed(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		name     string
		lifetime time.Duration
		left     time.Duration
		want     bool
	}{
		{"a fresh one of an hour", time.Hour, time.Hour, false},
		{"earlier than the jitter allows", time.Hour, 8 * time.Minute, false},
		{"5 minutes before its end", time.Hour, 5 * time.Minute, true},
		{"a day's, with 10 minutes left", 24 * time.Hour, 10 * time.Minute, false},
		{"a minute's, with 10 s left", time.Minute, 10 * time.Second, false},
		{"a minute's, with a tenth left", time.Minute, 6 * time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for range 100 { // the jitter must not matter here
				sl := (&Store{}).slot(app, vendor, print1)
				if got := sl.learn(token{"a", c.lifetime.Milliseconds()}, now, c.left); got != c.want {
					t.Fatalf("due is %v, want %v", got, c.want)
				}
			}
		})
	}
}

func TestWhenRedisIsAsked(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	sl := (&Store{}).slot(app, vendor, print1)
	expect := func(at time.Duration, access string, due bool) {
		t.Helper()
		if a, d := sl.current(now.Add(at)); a != access || d != due {
			t.Errorf("after %v current = %q, %v, want %q, %v", at, a, d, access, due)
		}
	}
	expect(0, "", true)
	sl.learn(token{"a", time.Hour.Milliseconds()}, now, time.Minute)
	expect(0, "a", false)
	expect(recheckEvery-1, "a", false)
	expect(recheckEvery, "a", true)
	sl.postpone(now.Add(recheckEvery))
	expect(recheckEvery, "a", false)
	expect(time.Minute, "", true)
	sl.forget("another")
	expect(0, "a", false)
	sl.forget("a")
	expect(0, "", true)
}
