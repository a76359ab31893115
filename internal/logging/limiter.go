package logging

import (
	"cmp"
	"sync"
	"time"
)

// most is the largest number of names that are remembered; callers use few.
const most = 1000

// Limiter remembers which lines were written. The zero value is ready; it is
// safe for concurrent use.
type Limiter struct {
	// Interval is the shortest time between two lines of one name; 0: a minute.
	Interval time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time

	mu      sync.Mutex
	written map[string]*line
}

// line is the last written line of a name.
type line struct {
	at      time.Time
	omitted int // lines since then
}

// Allow reports whether a line of this name may be written now, and how many
// were omitted since the last one.
func (l *Limiter) Allow(name string) (omitted int, ok bool) {
	now := time.Now()
	if l.Now != nil {
		now = l.Now()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := l.written[name]; last != nil {
		if now.Sub(last.at) < cmp.Or(l.Interval, time.Minute) {
			last.omitted++
			return 0, false
		}
		omitted = last.omitted
	}
	if l.written == nil || len(l.written) >= most {
		l.written = map[string]*line{}
	}
	l.written[name] = &line{at: now}
	return omitted, true
}
