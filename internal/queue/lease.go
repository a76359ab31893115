package queue

import (
	"math"
	"time"
)

const (
	// beat is how often asynq renews the leases of a live worker.
	beat = 5 * time.Second
	// leaseFor is the length of a lease, by the worker's own clock.
	leaseFor = 30 * time.Second
	// overdue is the age of a lease, by Redis's clock, at which its worker has missed two
	// heartbeats.
	overdue = 2 * beat
	// unchanged is how long such a lease must have been seen without a change: a live
	// worker whose clock is behind renews it within this time.
	unchanged = beat + time.Second/2
	// stuck is how long a lease must have been seen without a change to be regarded as a
	// dead worker's, whatever the clocks say.
	stuck = 2*beat + 3*time.Second/2
	// maxGap is the longest time between two readings of the leases after which the
	// earlier one still counts: after a longer one, for example when Redis was not
	// reachable, all workers get the time to renew.
	maxGap = 4 * time.Second
)

// noLease is the end of the lease of a task in work that has none.
const noLease = math.MinInt64

// lease is a task in work as Redis has it.
type lease struct {
	taskName
	until int64 // Unix second by its worker's clock, or noLease
}

// state is what a lease says about its worker.
type state int

const (
	live state = iota
	// late: its worker has missed a heartbeat.
	late
	// dead: its worker is dead, or cut off.
	dead
)

// judge returns a lease's state at Redis's Unix second, after it was seen unchanged for
// a while.
func (l lease) judge(redisNow int64, watched time.Duration) state {
	switch {
	case watched < unchanged:
		return live
	case l.until == noLease || watched >= stuck:
		return dead
	case time.Duration(redisNow-l.until)*time.Second+leaseFor >= overdue:
		return dead
	}
	return late
}

// sighting is since when a lease has been unchanged.
type sighting struct {
	until int64
	since time.Time
}

// leases distinguishes dead workers' leases from live ones' by observing them. It has
// no clock of its own.
type leases struct {
	seen map[taskName]sighting
	last time.Time
}

// observe takes all leases of the lanes at a time of this process's clock and returns
// those that are not live, in their order. redisNow is a Unix second.
func (l *leases) observe(now time.Time, redisNow int64, all []lease) (lates, deads []lease) {
	if now.Sub(l.last) > maxGap {
		l.seen = nil
	}
	l.last = now
	seen := make(map[taskName]sighting, len(all))
	for _, one := range all {
		s, ok := l.seen[one.taskName]
		if !ok || s.until != one.until {
			s = sighting{one.until, now}
		}
		seen[one.taskName] = s
		switch one.judge(redisNow, now.Sub(s.since)) {
		case late:
			lates = append(lates, one)
		case dead:
			deads = append(deads, one)
		case live:
		}
	}
	l.seen = seen
	return lates, deads
}
