// Package clock provides the time that all workers share, which is Redis's, and
// checks whether this machine's own clock is accurate enough to work with.
//
// It knows the TIME command. It does not know what the time is used for.
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
	// Every is the time between two questions to Redis.
	Every = 5 * time.Second
	// Trusted is how far this machine's clock may differ from Redis's and still be
	// used. Beyond it, Now returns Redis's time.
	Trusted = 2 * time.Second
	// Limit is how far it may differ before Err says that a worker must not take
	// tasks: vendors check the times in signed requests, and TLS those of
	// certificates.
	Limit = 30 * time.Second
	// slow is the longest round trip whose reply is precise enough.
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

// now adds the monotonic time since the anchor: the machine's wall clock may be
// set in between.
func (a *anchor) now() time.Time { return a.redis.Add(time.Since(a.at)) }

func (c *Clock) wall() time.Time {
	if c.Wall == nil {
		return time.Now()
	}
	return c.Wall()
}

// Now returns the time of this machine's clock if that agrees with Redis's, else
// Redis's time. Before the first Check it returns this machine's.
func (c *Clock) Now() time.Time {
	wall, a := c.wall(), c.anchor.Load()
	if a == nil || wall.Sub(a.now()).Abs() <= Trusted {
		return wall
	}
	return a.now()
}

// Err returns an error if this machine's clock differs so much from Redis's that
// a worker must not take tasks.
func (c *Clock) Err() error {
	off := c.off()
	if off.Abs() <= Limit {
		return nil
	}
	return fmt.Errorf("this machine's clock is %s Redis's: no task is taken until they agree within %v", describe(off), Limit)
}

// off returns how far this machine's clock is ahead of Redis's.
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

// errSlow: the reply took too long to be precise.
var errSlow = errors.New("compare clocks: Redis takes too long to answer TIME")

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
	c.logChange()
	return nil
}

// States of this machine's clock.
const (
	right int32 = iota
	corrected
	wrong
)

// logChange logs the state of this machine's clock if it differs from the state
// that was logged before.
func (c *Clock) logChange() {
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
		c.Log.Error().Err(c.Err()).Msg("this machine's clock is wrong and the worker takes no tasks: set the clock")
	case now == corrected:
		c.Log.Warn().Msgf("this machine's clock is %s Redis's: the worker uses Redis's time", describe(off))
	default:
		c.Log.Info().Msg("this machine's clock agrees with Redis's again")
	}
}

// Run calls Check every Every until ctx ends. While Redis cannot be reached, the
// time continues from the last check.
func (c *Clock) Run(ctx context.Context) {
	t := time.NewTicker(Every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			_ = c.Check(ctx) // other components log that Redis cannot be reached
		}
	}
}
