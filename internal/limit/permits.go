package limit

import (
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// holdTime is how long a leased permit may be used: what is held back now
	// comes on top of what the limiter grants later.
	holdTime = 10 * time.Millisecond
	// returnTime is how long an unused permit can be given back.
	returnTime = 200 * time.Millisecond
	// leaseShare of a second's permits is the largest lease.
	leaseShare = 1.0 / 20
	// rememberTime is how long a refusal is believed without asking again.
	rememberTime = 100 * time.Millisecond
)

// permits are the permits of one key that this worker has leased and not used,
// and what it was refused.
type permits struct {
	asking *semaphore.Weighted // one goroutine at a time asks Redis; held across I/O

	mu      sync.Mutex
	limit   Limit // of the last lease
	goal    int   // how many to lease, by what was used lately
	size    int   // how many the last lease was for; 0: none since goal was set
	spare   int   // how many of them are left
	since   time.Time
	refused [2]refusal // others, high
	factor  float64    // of the rate, as Redis last said
	line    time.Time  // the latest time that this worker gave to a request
	success bool       // a request succeeded since Redis was last told
	deaf    time.Time  // until then a success says nothing: it was sent before a slow-down
}

// refusal is a wait that Redis told us, for n permits or more.
type refusal struct {
	n     int
	until time.Time
}

// lease is what Redis answered to a request for n permits that asked for got.
type lease struct {
	n, got int
	wait   time.Duration // 0: granted
	high   bool
	factor float64
}

func newEntry() *entry {
	return &entry{
		permits: permits{asking: semaphore.NewWeighted(1), factor: 1},
		pauses:  pauses{asking: semaphore.NewWeighted(1)},
	}
}

// local answers without Redis, if it can.
func (p *permits) local(now time.Time, n int, high bool) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spare >= n && now.Sub(p.since) < holdTime {
		p.spare -= n
		return 0, true
	}
	if r := p.refused[index(high)]; n >= r.n && now.Before(r.until) {
		return r.until.Sub(now), true
	}
	return 0, false
}

// plan says how many permits to ask for, and how many to give back with the
// same call. It asks for as many as were used lately: twice the last lease if
// that ran out in time, up to the largest; so nobody hoards.
func (p *permits) plan(now time.Time, n int, lim Limit) (want, back int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	age := now.Sub(p.since)
	switch {
	case p.size == 0:
	case age < holdTime:
		p.goal = 2 * p.size
	default:
		p.goal = p.size - p.spare
	}
	if age < returnTime {
		back = p.spare
	}
	p.goal = min(p.goal, int(lim.Rate*p.factor*leaseShare), lim.Burst)
	p.limit, p.spare, p.size = lim, 0, 0
	return max(n, p.goal), back
}

// leased takes over Redis's answer to a call begun at now.
func (p *permits) leased(now time.Time, a lease) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.factor = a.factor
	if a.wait == 0 {
		p.size, p.spare, p.since = a.got, a.got-a.n, now
		p.refused = [2]refusal{}
		return
	}
	r := refusal{until: now.Add(min(a.wait, rememberTime))}
	if a.high {
		r.n = a.n // fewer may be had sooner; others wait the same for any number
	}
	p.refused[index(a.high)] = r
}

// returnAll hands over the permits that Redis would still take back.
func (p *permits) returnAll(now time.Time) (Limit, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	back := p.spare
	p.spare, p.size = 0, 0
	if now.Sub(p.since) >= returnTime {
		back = 0
	}
	return p.limit, back
}

// placed notes the time that a request was given.
func (p *permits) placed(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.After(p.line) {
		p.line = at
	}
}

func (p *permits) lineEnd() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.line
}

func index(high bool) int {
	if high {
		return 1
	}
	return 0
}
