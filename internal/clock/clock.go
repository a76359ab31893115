// Package clock tells the time that all workers share, which is Redis's, and whether
// this machine's own clock is accurate enough to work.
//
// It knows Redis's TIME. It does not know what the time is used for.
package clock

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

const (
	// Every is how often Redis is asked.
	Every = 5 * time.Second
	// Trusted is how much this machine's clock may differ from Redis's and still be used.
	// Beyond it, Now returns Redis's time.
	Trusted = 2 * time.Second
	// Limit is how much it may differ before Err says that a worker must not work: vendors
	// check the times in signed requests, and peers those of certificates.
	Limit = 30 * time.Second
	// slow is the longest time of a reply that is used.
	slow = time.Second
)

// Clock compares this machine's clock with Redis's. It is safe for concurrent use.
type Clock struct {
	Redis redis.UniversalClient
	Log   zerolog.Logger
	// Wall is this machine's clock; nil: time.Now.
	Wall func() time.Time

	anchor atomic.Pointer[anchor]
	logged atomic.Int32 // the last state that was logged
}

// anchor is Redis's time at a moment of this process's monotonic clock.
type anchor struct{ redis, at time.Time }

// now is the time by Redis, without this machine's clock, which may be set.
func (a *anchor) now() time.Time { return a.redis.Add(time.Since(a.at)) }

func (c *Clock) wall() time.Time {
	if c.Wall == nil {
		return time.Now()
	}
	return c.Wall()
}

// Now is the time by this machine's clock if that is accurate, else by Redis's. Until
// Redis was asked, it is this machine's.
func (c *Clock) Now() time.Time {
	wall, a := c.wall(), c.anchor.Load()
	if a == nil || wall.Sub(a.now()).Abs() <= Trusted {
		return wall
	}
	return a.now()
}

// Err returns an error if this machine's clock differs so much from Redis's that a
// worker must not work.
func (c *Clock) Err() error {
	off := c.off()
	if off.Abs() <= Limit {
		return nil
	}
	return fmt.Errorf("this machine's clock is %s Redis's: no task is taken until they agree within %v", describe(off), Limit)
}

// off is how far this machine's clock is ahead of Redis's.
func (c *Clock) off() time.Duration {
	a := c.anchor.Load()
	if a == nil {
		return 0
	}
	return c.wall().Sub(a.now())
}

func describe(off time.Duration) string {
	if off < 0 {
		return (-off).Round(time.Second).String() + " behind"
	}
	return off.Round(time.Second).String() + " ahead of"
}

// errSlow says that a reply took too long to tell the time.
var errSlow = errors.New("compare clocks: Redis answers too slowly")

// Check asks Redis for its time, and logs when the clocks begin to differ or agree
// again.
func (c *Clock) Check(ctx context.Context) error {
	begin := time.Now()
	t, err := c.Redis.Time(ctx).Result()
	took := time.Since(begin)
	if err != nil {
		return fmt.Errorf("compare clocks: %w", err)
	}
	if took > slow {
		return errSlow
	}
	c.anchor.Store(&anchor{redis: t.Add(took / 2), at: time.Now()})
	c.tell()
	return nil
}

// What was logged.
const (
	right int32 = iota
	corrected
	wrong
)

func (c *Clock) tell() {
	off, now := c.off(), right
	switch {
	case off.Abs() > Limit:
		now = wrong
	case off.Abs() > Trusted:
		now = corrected
	}
	before := c.logged.Swap(now)
	switch {
	case before == now:
	case now == wrong:
		c.Log.Error().Err(c.Err()).Msg("set this machine's clock: it takes no tasks")
	case now == corrected:
		c.Log.Warn().Msgf("this machine's clock is %s Redis's: Redis's time is used", describe(off))
	default:
		c.Log.Info().Msg("this machine's clock agrees with Redis's again")
	}
}

// Run checks repeatedly until ctx ends. While Redis is not reachable the time continues
// from the last check.
func (c *Clock) Run(ctx context.Context) {
	t := time.NewTicker(Every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			_ = c.Check(ctx) // a fault of Redis is logged elsewhere
		}
	}
}
