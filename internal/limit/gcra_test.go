package limit

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/redistest"
)

func TestRedisAndGoAgree(t *testing.T) {
	t.Parallel()
	client := redistest.Client(t)
	rapid.Check(t, func(r *rapid.T) {
		client.FlushDB(t.Context())
		c := newClock()
		l := timed(client, c, 1)[0]
		var mine tat
		for range rapid.IntRange(1, 30).Draw(r, "calls") {
			c.us.Add(rapid.Int64Range(-10_000, 2_000_000).Draw(r, "µs passed"))
			lim := Limit{rapid.Float64Range(0.01, 1e6).Draw(r, "rate"), rapid.IntRange(1, 1000).Draw(r, "burst")}
			q := request{
				take: rapid.IntRange(0, 1200).Draw(r, "take"), back: rapid.IntRange(0, 100).Draw(r, "back"),
				high: rapid.Bool().Draw(r, "high"),
			}
			var want float64
			want, mine = gcra(lim.Rate, lim.Burst, mine, float64(c.us.Load()), q.take, q.back, q.high)
			got, factor, err := l.takeBlock(t.Context(), shop(), lim, q)
			if err != nil {
				r.Fatal(err)
			}
			at, _ := client.HGet(t.Context(), shop().rate(), "at").Float64()
			// A processor that fuses multiplication and addition may round otherwise.
			if factor != 1 || math.Abs(float64(got.Microseconds())-want) > 1 || math.Abs(at-mine.at) > 1 {
				r.Fatalf("Redis says wait %v, TAT %.1f; Go says %.0f µs, %.1f", got, at, want, mine.at)
			}
			mine.at = at
		}
	})
}

func TestNoSecondHasMoreThanTheRateAndOneBlock(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		rate := rapid.Float64Range(1, 1e5).Draw(r, "rate")
		burst := rapid.IntRange(1, 1000).Draw(r, "burst")
		now, s := 1.8e15, tat{}
		var times []float64
		var sizes []int
		for range 200 {
			now += rapid.Float64Range(0, 3e5).Draw(r, "µs passed")
			n := rapid.IntRange(1, burst).Draw(r, "n")
			var wait float64
			wait, s = gcra(rate, burst, s, now, n, 0, rapid.Bool().Draw(r, "high"))
			if wait == 0 {
				times, sizes = append(times, now), append(sizes, n)
			} else if rapid.Bool().Draw(r, "comes back") {
				now += wait
			}
		}
		for i := range times {
			sum := 0
			for j := i; j < len(times) && times[j] <= times[i]+1e6; j++ {
				sum += sizes[j]
			}
			if most := rate + float64(burst); float64(sum) > most+1e-3 {
				r.Fatalf("the second from request %d has %d permits, want at most %.1f", i, sum, most)
			}
		}
	})
}

func TestThePacePaysForUnusedPermitsAndForLateness(t *testing.T) {
	t.Parallel()
	if got := pace * (1e6 + credit + float64(useTime.Microseconds())) / 1e6; got > 1 {
		t.Errorf("a second may have %.3f of the rate, want at most 1", got)
	}
}

func TestACallerThatAsksAgainInTimeHasTheWholeRate(t *testing.T) {
	t.Parallel()
	for _, n := range []int{40, 100, 1000} {
		now, s, got, late := 1.8e15, tat{}, 0, 15e3 // µs
		start := now
		for now < start+60e6 {
			var wait float64
			wait, s = gcra(2000, 1000, s, now, n, 0, false)
			if wait == 0 {
				got += n
			} else {
				now += wait + late
			}
		}
		if want := 0.965 * 2000 * 60; float64(got) < want {
			t.Errorf("requests of %d: %d permits in a minute, want %.0f", n, got, want)
		}
	}
}

func TestGCRA(t *testing.T) {
	t.Parallel()
	const now = 1.8e15
	ms := func(d float64) float64 { return d * 1e3 } // in µs
	per := 1e6 / (1000 * pace)                       // µs a permit at 1,000/s
	for _, c := range []struct {
		name  string
		ahead float64 // of now, µs
		take  int
		back  int
		high  bool
		wait  float64
	}{
		{"an idle key grants any number", ms(-5), 1000, 0, false, 0},
		{"to high priority too", ms(-5), 1000, 0, true, 0},
		{"before its time nobody else is served", 0, 1, 0, false, yield},
		{"high priority is, with a whole block of debt", 0, 1000, 0, true, 0},
		{"after a full block high priority waits for one permit's time", 1000 * per, 1, 0, true, math.Ceil(per)},
		{"others wait for all of it", 1000 * per, 1, 0, false, math.Ceil(1000*per + yield)},
		{"whatever they want", 1000 * per, 500, 0, false, math.Ceil(1000*per + yield)},
		{"what is given back shortens the wait", 1000 * per, 1, 400, false, math.Ceil(600*per + yield)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wait, next := gcra(1000, 1000, tat{now + c.ahead, per}, now, c.take, c.back, c.high)
			if math.Abs(wait-c.wait) > 1 {
				t.Errorf("wait is %.0f µs, want %.0f", wait, c.wait)
			}
			if wait > 0 && next.at > now+c.ahead {
				t.Errorf("a refusal cost %.0f µs", next.at-now-c.ahead)
			}
		})
	}
}

func TestADebtIsCountedInPermitsWhenTheRateChanges(t *testing.T) {
	t.Parallel()
	_, s := gcra(1, 1000, tat{}, 1.8e15, 1000, 0, false) // 1,000 s of debt
	wait, _ := gcra(10_000, 1000, s, 1.8e15, 1, 0, false)
	if got := time.Duration(wait) * time.Microsecond; got > 120*time.Millisecond {
		t.Errorf("at 10,000/s the wait for 1,000 permits is %v, want about 0.1 s", got)
	}
}
