package limit

import (
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// useTime is how long a permit of a block may be used: a permit that is kept back
	// now is used on top of what the limiter grants later.
	useTime = 10 * time.Millisecond
	// returnTime is how long an unused permit can be given back.
	returnTime = 200 * time.Millisecond
	// blockShare of a second's permits is the largest block.
	blockShare = 1.0 / 20
	// rememberTime is how long a refusal is believed without asking again.
	rememberTime = 100 * time.Millisecond
)

// permits are the permits of one key that this worker has taken and not used,
// and what it was refused.
type permits struct {
	asking *semaphore.Weighted // one goroutine at a time asks Redis; held across I/O

	mu        sync.Mutex
	limit     Limit // of the last block
	demand    int   // how many to take, by what was used lately
	lastBlock int   // how many the last block was for; 0: none since demand was set
	unused    int   // how many of them are left
	takenAt   time.Time
	refused   [2]refusal // others, high
	factor    float64    // of the rate, as Redis last said
	placed    time.Time  // the latest time that this worker gave to a request

	success     bool      // a request succeeded since Redis was last told
	ignoreUntil time.Time // before then a success says nothing: the request was sent before a pause
}

// refusal is a wait that Redis answered, for n permits or more.
type refusal struct {
	n     int
	until time.Time
}

// block is what Redis answered to a request for n permits that asked for got.
type block struct {
	n, got int
	wait   time.Duration // 0: granted
	high   bool
	factor float64
}

// answer answers a request without Redis, if it can.
func (p *permits) answer(now time.Time, n int, high bool) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unused >= n && now.Sub(p.takenAt) < useTime {
		p.unused -= n
		return 0, true
	}
	if r := p.refused[index(high)]; n >= r.n && now.Before(r.until) {
		return r.until.Sub(now), true
	}
	return 0, false
}

// plan says how many permits to ask for, and how many to give back with the same
// call. It asks for as many as were used lately: twice the last block if that was
// used up in time, up to the largest; so no worker hoards permits.
func (p *permits) plan(now time.Time, n int, lim Limit) (take, back int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	age := now.Sub(p.takenAt)
	switch {
	case p.lastBlock == 0:
	case age < useTime:
		p.demand = 2 * p.lastBlock
	default:
		p.demand = p.lastBlock - p.unused
	}
	if age < returnTime {
		back = p.unused
	}
	p.demand = min(p.demand, int(lim.Rate*p.factor*blockShare), lim.Burst)
	p.limit, p.unused, p.lastBlock = lim, 0, 0
	return max(n, p.demand), back
}

// learn stores Redis's answer to a call begun at now.
func (p *permits) learn(now time.Time, a block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.factor = a.factor
	if a.wait == 0 {
		p.lastBlock, p.unused, p.takenAt = a.got, a.got-a.n, now
		p.refused = [2]refusal{}
		return
	}
	r := refusal{until: now.Add(min(a.wait, rememberTime))}
	if a.high {
		r.n = a.n // fewer may be granted sooner; others wait the same for any number
	}
	p.refused[index(a.high)] = r
}

// returnAll hands over the permits that Redis would still take back.
func (p *permits) returnAll(now time.Time) (Limit, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	back := p.unused
	p.unused, p.lastBlock = 0, 0
	if now.Sub(p.takenAt) >= returnTime {
		back = 0
	}
	return p.limit, back
}

// place notes the time that a request was given.
func (p *permits) place(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.After(p.placed) {
		p.placed = at
	}
}

// lastPlace is the latest time that a request was given; zero: none was.
func (p *permits) lastPlace() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.placed
}

func index(high bool) int {
	if high {
		return 1
	}
	return 0
}
