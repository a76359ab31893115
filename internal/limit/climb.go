package limit

import "time"

const (
	// smallest is the least part of the rate that stops leave.
	smallest = 1.0 / 64
	// climb is the part of the rate that one second of success brings back.
	climb = 1.0 / 64
	// quickClimb is the same after an outage: the rate was not its reason.
	quickClimb = 1.0 / 8
)

// Succeeded records that a request succeeded. It is cheap and makes no call: Redis
// learns of it with the next block.
func (l *Limiter) Succeeded(k Key) {
	l.entry(k).permits.succeed(l.now())
}

func (p *permits) succeed(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.success = p.success || !now.Before(p.ignoreUntil)
}

// succeeded reports whether requests succeeded since it was last called.
func (p *permits) succeeded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.success
	p.success = false
	return was
}

// pause ignores the successes of requests that were sent before a pause that ends
// at until, and drops the permits that were taken before it.
func (p *permits) pause(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ignoreUntil, p.success, p.unused = until, false, 0
}

// resume ends what pause began: there is no pause, or no longer.
func (p *permits) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ignoreUntil = time.Time{}
}
