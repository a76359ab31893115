package queue

import (
	"math"
	"time"
)

const (
	// beat is how often a live worker renews its leases, by asynq.
	beat = 5 * time.Second
	// leaseFor is how far ahead of its own clock it sets them.
	leaseFor = 30 * time.Second
	// overdue is the age of a lease that was not renewed, by Redis's clock, at
	// which its worker has missed two beats.
	overdue = 2 * beat
	// unchanged is how long such a lease must have been seen without a change:
	// a worker that is alive, but whose clock is behind, renews within it.
	unchanged = beat + time.Second/2
	// stuck is how long any lease must have been seen without a change to be
	// taken for a dead worker's, whatever the clocks say.
	stuck = 2*beat + 3*time.Second/2
	// blink is the longest time between two looks that still counts as having
	// watched: after a longer one, as when Redis was away, everybody gets the
	// time to renew.
	blink = 4 * time.Second
)

// noLease is the end of the lease of a task in work that has none.
const noLease = math.MinInt64

// lease is a task in work as Redis has it.
type lease struct {
	taskName
	until int64 // Unix second by its worker's clock, or noLease
}

// state is what a lease looks like from outside.
type state int

const (
	live state = iota
	// late: its worker has missed a beat.
	late
	// dead: its worker is dead, or cut off.
	dead
)

// judge tells a lease's state at Redis's Unix second, when it was seen unchanged
// for a while.
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

// sighting is since when a lease is seen as it is.
type sighting struct {
	until int64
	since time.Time
}

// leases tells dead workers' leases from live ones' by watching them. It has no
// clock of its own.
type leases struct {
	seen map[taskName]sighting
	last time.Time
}

// look takes in all leases of the lanes at a time of this process's clock and
// returns those that are not live, in their order. redisNow is a Unix second.
func (l *leases) look(now time.Time, redisNow int64, all []lease) (lates, deads []lease) {
	if now.Sub(l.last) > blink {
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
