package limit

import "time"

const (
	// smallest is the least part of the rate that slow-downs leave.
	smallest = 1.0 / 64
	// climb is the part of the rate that one second of success brings back.
	climb = 1.0 / 64
	// quickClimb is the same after an outage: the rate was not its reason.
	quickClimb = 1.0 / 8
)

// Succeeded tells that a request went through. It is cheap and makes no call:
// Redis hears of it with the next lease.
func (l *Limiter) Succeeded(k Key) {
	l.entry(k).permits.succeed(l.now())
}

func (p *permits) succeed(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.success = p.success || !now.Before(p.deaf)
}

// succeeded tells whether requests succeeded since it was last asked.
func (p *permits) succeeded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.success
	p.success = false
	return was
}

// ignore drops the successes of requests that were sent before a pause, and the
// permits leased before it.
func (p *permits) ignore(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf, p.success, p.spare = until, false, 0
}

// listen ends what ignore began: there is no pause, or no longer.
func (p *permits) listen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = time.Time{}
}
