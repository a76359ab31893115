package queue

import "time"

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

// lease is a task in work as Redis has it.
type lease struct {
	lane, task string
	until      int64 // Unix second by its worker's clock
}

// sighting is since when a lease is seen as it is.
type sighting struct {
	until int64
	since time.Time
}

// leases tells dead workers' leases from live ones' by watching them. It has no
// clock of its own.
type leases struct {
	seen map[[2]string]sighting
	last time.Time
}

// look takes in all leases of the lanes at a time of this process's clock and
// returns those whose worker is dead, or cut off. redisNow is a Unix second.
func (l *leases) look(now time.Time, redisNow int64, all []lease) []lease {
	if now.Sub(l.last) > blink {
		l.seen = nil
	}
	l.last = now
	seen, dead := make(map[[2]string]sighting, len(all)), []lease(nil)
	for _, one := range all {
		key := [2]string{one.lane, one.task}
		s, ok := l.seen[key]
		if !ok || s.until != one.until {
			s = sighting{one.until, now}
		}
		seen[key] = s
		age, watched := time.Duration(redisNow-one.until)*time.Second+leaseFor, now.Sub(s.since)
		if watched >= stuck || watched >= unchanged && age >= overdue {
			dead = append(dead, one)
		}
	}
	l.seen = seen
	return dead
}
