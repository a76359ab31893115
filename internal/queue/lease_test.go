package queue

import (
	"testing"
	"time"
)

// A lease is a dead worker's when two beats are overdue and it was seen
// unchanged for more than one, or when it was seen unchanged for very long.
func TestDeadWorkersLeases(t *testing.T) {
	t.Parallel()
	const start = int64(1_800_000_000)
	live := func(skew int64) func(int) int64 { // renews every 5 s
		return func(s int) int64 { return start + int64(s-s%5) + 30 + skew }
	}
	dead := func(at int, skew int64) func(int) int64 { // last beat at that second
		return func(s int) int64 { return live(skew)(min(s, at)) }
	}
	for name, c := range map[string]struct {
		until  func(second int) int64
		looks  func(second int) bool // nil: every two seconds
		after  int                   // the second at which the lease is a dead one's at the latest; 0: never
		before int                   // and at the earliest
	}{
		"a live worker": {live(0), nil, 0, 0},
		"a live worker whose clock is 20 s behind": {live(-20), nil, 0, 0},
		"a live worker whose clock is ahead":       {live(20), nil, 0, 0},
		"a worker that dies":                       {dead(20, 0), nil, 34, 28},
		"a worker that dies, its clock 5 s ahead":  {dead(20, 5), nil, 34, 28},
		"a worker that dies, its clock 5 s behind": {dead(20, -5), nil, 34, 24},
		"a worker that died before the first look": {dead(-100, 0), nil, 8, 6},
		"a worker that died while Redis was away":  {dead(20, 0), func(s int) bool { return s < 22 || s > 60 }, 70, 64},
		"a live worker, after Redis was away": {func(s int) int64 {
			if s < 64 {
				return live(0)(min(s, 20))
			}
			return live(0)(s)
		}, func(s int) bool { return s < 22 || s > 60 }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var l leases
			begin, found := time.Now(), 0
			for s := 0; s < 200 && found == 0; s += 2 {
				if c.looks != nil && !c.looks(s) {
					continue
				}
				one := lease{taskName{"huawei:normal", "task"}, c.until(s)}
				_, got := l.observe(begin.Add(time.Duration(s)*time.Second), start+int64(s), []lease{one})
				if len(got) > 0 {
					found = s
				}
			}
			if found < c.before || found > c.after {
				t.Errorf("taken over after %d s, want %d to %d", found, c.before, c.after)
			}
		})
	}
}

func TestALeaseThatIsGoneIsForgotten(t *testing.T) {
	t.Parallel()
	var l leases
	now := time.Now()
	for s := range 100 {
		all := []lease{{taskName{"huawei:normal", "a"}, 1}}
		if s%4 > 1 {
			all = nil // the task ended; then another run began with the same words
		}
		if _, got := l.observe(now.Add(time.Duration(2*s)*time.Second), 100, all); len(got) > 0 {
			t.Fatalf("after %d s the lease is taken for a dead worker's", 2*s)
		}
	}
	if len(l.seen) > 1 {
		t.Errorf("%d leases are remembered", len(l.seen))
	}
}
