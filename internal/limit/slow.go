package limit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	firstPause   = time.Second      // of the first slow-down, doubled by each in a row
	longestPause = 60 * time.Second // unless the vendor's Retry-After is longer
	// smallest is the least part of the rate that slow-downs leave.
	smallest = 1.0 / 64
	// climb is the part of the rate that one second of success brings back.
	climb = 1.0 / 64
)

// SlowDown heeds a vendor that says "too fast": everything of the key pauses
// for retryAfter, or with 0 for 1 s to 60 s, doubling with each time in a row;
// afterwards the rate is half of what it was, down to a 64th, and climbs back
// by a 64th for every second in which requests succeed. All workers share both.
// While the pause lasts, more slow-downs only lengthen it: they answer requests
// that were sent before. Without a rate limit there is only the pause.
//
// It returns the end of the pause.
func (l *Limiter) SlowDown(ctx context.Context, k Key, retryAfter time.Duration, reason string) (until time.Time, err error) {
	now := l.now()
	reply, err := slowDownScript.Run(ctx, l.Redis, []string{k.rate(), k.pause()},
		max(retryAfter, 0).Milliseconds(), firstPause.Milliseconds(), longestPause.Milliseconds(),
		smallest, keepTime.Milliseconds(), reason, l.scriptNow(),
	).Int64Slice()
	e := l.entry(k)
	e.pauses.outdate()
	if err != nil {
		return time.Time{}, fmt.Errorf("slow down: %w", err)
	}
	if len(reply) != 2 {
		return time.Time{}, fmt.Errorf("slow down: the script answered %d values, want 2", len(reply))
	}
	until = now.Add(time.Duration(reply[0]) * time.Millisecond)
	e.permits.ignore(until)
	return until, nil
}

// Succeeded tells that a request went through. It is cheap and makes no call:
// Redis hears of it with the next lease.
func (l *Limiter) Succeeded(k Key) {
	l.entry(k).permits.succeed(l.now())
}

// Factor returns the part of the rate, over 0 up to 1, that slow-downs have left.
func (l *Limiter) Factor(ctx context.Context, k Key) (float64, error) {
	f, err := l.Redis.HGet(ctx, k.rate(), "factor").Float64()
	if errors.Is(err, redis.Nil) {
		return 1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read rate: %w", err)
	}
	return f, nil
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
