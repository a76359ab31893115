package limit

import (
	"testing"
	"time"

	"github.com/postrider/postrider/internal/redistest"
)

// place asks for a time, and adds what a caller is to come early.
func place(t *testing.T, l *Limiter, lim Limit, n, ahead int, late bool) time.Duration {
	t.Helper()
	wait, err := l.Place(t.Context(), shop(), lim, Waiting{Class: Normal, Permits: n, Ahead: ahead, Late: late})
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

// about reports whether two durations are the same but for rounding and credit.
func about(got, want time.Duration) bool {
	return (got - want).Abs() < credit*time.Microsecond+2*time.Millisecond
}

// Whoever has to wait has a time of its own: that at which all before it, by any
// worker, have had their permits.
func TestEachPlaceIsBehindTheLastOne(t *testing.T) {
	t.Parallel()
	c := newClock()
	all := timed(redistest.Client(t), c, 2)
	lim := Limit{Rate: 1000 / pace, Burst: 1000} // a permit a millisecond
	if wait := take(t, all[0], lim, 1000, false); wait != 0 {
		t.Fatalf("the first block waits %v", wait)
	}
	for i := range 6 {
		want := time.Duration(i+1)*time.Second - early // behind the block that was taken
		if got := place(t, all[i%2], lim, 1000, 0, false); !about(got, want) {
			t.Errorf("place %d is in %v, want %v", i, got, want)
		}
	}
	// Who is late waits for those ahead in this worker and those late before it, and moves nobody else.
	for i, want := range []time.Duration{3*time.Second - early, 4*time.Second - early} {
		if got := place(t, all[0], lim, 1000, 2000-1000*i, true); !about(got, want) {
			t.Errorf("who is late, number %d, waits %v, want %v", i, got, want)
		}
	}
	if got, want := place(t, all[1], lim, 1000, 0, false), 7*time.Second-early; !about(got, want) {
		t.Errorf("the next place is in %v, want %v", got, want)
	}
	// What is bulk does not keep the others waiting, nor they it.
	wait, err := all[0].Place(t.Context(), shop(), lim, Waiting{Class: Bulk, Permits: 1000})
	if want := time.Second - early; err != nil || !about(wait, want) {
		t.Errorf("the first place of a bulk job is in %v, %v, want %v", wait, err, want)
	}
	// The line is so many permits, whatever the rate is by now.
	lim.Rate *= 2
	if got, want := place(t, all[1], lim, 1000, 0, false), 4*time.Second-early; !about(got, want) {
		t.Errorf("at twice the rate the next place is in %v, want %v", got, want)
	}
	// Small requests come back less early: few of them fit in a worker's line.
	if got, want := place(t, all[1], lim, 1, 0, false), 4500*time.Millisecond-time.Duration(4*pace*float64(500*time.Microsecond)); !about(got, want) {
		t.Errorf("a small request's place is in %v, want %v", got, want)
	}
}

func TestPlacesThatAreNotUsedAreNotKept(t *testing.T) {
	t.Parallel()
	c := newClock()
	all := timed(redistest.Client(t), c, 2)
	l := all[0]
	idle := func(want int) {
		t.Helper()
		got, err := l.Idle(t.Context())
		if err != nil || len(got) != want || want == 1 && got[0] != shop() {
			t.Errorf("idle are %v, %v, want %d", got, err, want)
		}
	}
	lim := Limit{Rate: 1000 / pace, Burst: 1000}
	take(t, l, lim, 1000, false)
	idle(0) // nobody has a place
	for range 10 {
		place(t, l, lim, 1000, 0, false)
	}
	idle(0)
	c.forward(1900 * time.Millisecond) // one of them is late, by less than a second
	idle(0)
	if wait := take(t, l, lim, 1000, false); wait != 0 {
		t.Errorf("it waits %v", wait)
	}
	c.forward(2100 * time.Millisecond) // nobody came for more than a second
	if got, err := all[1].Idle(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("a worker that placed nobody is told of %v, %v", got, err)
	}
	idle(1)
	idle(0) // it is told once
	if wait := take(t, l, lim, 1000, false); wait != 0 {
		t.Errorf("it waits %v", wait)
	}
	if got, want := place(t, l, lim, 1000, 0, false), time.Second-early; !about(got, want) {
		t.Errorf("the next place is in %v, want %v: right behind what was taken", got, want)
	}
	c.forward(10 * time.Second)
	idle(0) // nobody has a later place
}

func TestThereIsNoPlaceWithoutALimitOrWithoutRedis(t *testing.T) {
	t.Parallel()
	l := &Limiter{}
	if wait := place(t, l, Limit{}, 1000, 0, false); wait != 0 {
		t.Errorf("without a limit the wait is %v", wait)
	}
	server := redistest.Start(t)
	l.Redis = server.Client(t)
	server.Kill()
	if wait, err := l.Place(t.Context(), shop(), Limit{Rate: 1}, Waiting{Class: Normal, Permits: 1}); err == nil {
		t.Errorf("without Redis the wait is %v", wait)
	}
}
