package limit

import "math"

// The rule is the generic cell rate algorithm with debt: instead of counting
// permits it keeps the theoretical arrival time (TAT), the moment at which
// everything granted so far is paid for. A request is granted when the TAT has
// come, however many permits it takes, and moves it by as many intervals. So requests
// for one permit and for 1,000 have the same chance; a rule that waits until all 1,000
// are available would let small requests starve large ones.
//
// What that may let through in any second is, at most,
//
//	pace × Rate × (1 s + credit + useTime) + one block ≤ Rate + one block
//
// The times are microseconds in float64, which holds them exactly for the next
// 200 years. block.lua is the same rule, operation by operation.
const (
	// pace is the part of the rate that is used. The rest pays for credit and
	// useTime, and for vendors who measure with their own clock.
	pace = 0.97
	// credit is how late, in µs, a caller may come back without losing throughput.
	credit = 20_000
	// yield is how much later than high priority, in µs, others are granted; within credit.
	yield = 2_000
)

// tat is what Redis keeps: the theoretical arrival time in µs since 1970, and
// the µs per permit with which it was calculated. Zero: nothing granted yet.
type tat struct{ at, interval float64 }

// gcra decides on take permits at now (µs), after back were returned. wait is 0
// if they are granted, else the µs until they would be. next is to be kept
// either way. rate is over 0, in permits a second.
func gcra(rate float64, burst int, t tat, now float64, take, back int, high bool) (wait float64, next tat) {
	interval := 1e6 / (rate * pace)
	at := t.at
	if at > now && t.interval > 0 {
		at = now + (at-now)/t.interval*interval // the debt is so many permits, whatever the rate is now
	}
	at -= float64(back) * interval
	ahead := float64(-yield)
	if high {
		ahead = float64(max(burst-take, 0)) * interval // up to one block of debt
	}
	wait = math.Ceil(at - (now + ahead))
	if wait > 0 {
		return wait, tat{at, interval}
	}
	return 0, tat{max(at, now-credit) + float64(take)*interval, interval}
}
