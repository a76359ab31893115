package limit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/semaphore"

	"github.com/postrider/postrider/pkg/push/wire"
)

// Key is what is limited: one app at one vendor.
type Key struct{ App, Vendor string }

func (k Key) rate() string  { return wire.RateKey(k.App, k.Vendor) }
func (k Key) pause() string { return wire.PauseKey(k.App, k.Vendor) }
func (k Key) stop() string  { return wire.StopKey(k.App, k.Vendor) }

// jobs, forget and codes are where park.lua keeps parked jobs.
func (k Key) jobs() string   { return wire.ParkedKey(k.App, k.Vendor) }
func (k Key) forget() string { return wire.ParkedForgetKey(k.App, k.Vendor) }
func (k Key) codes() string  { return wire.ParkedCodesKey(k.App, k.Vendor) }

// Limit is a rate limit shared by all workers.
type Limit struct {
	// Rate is permits a second; 0: no limit.
	Rate float64
	// Burst is one block: the most permits that one request takes. At most Rate + Burst
	// permits are used in any second. 0: 1. A request may take more than Burst; then that
	// is the block.
	Burst int
}

// Limiter hands out permits and keeps pauses. Redis must be set; it is safe for
// concurrent use, starts no goroutines and makes no Redis call unless asked.
type Limiter struct {
	Redis redis.UniversalClient
	// Now is the clock; nil: time.Now. Only its differences count, so workers'
	// clocks may differ: the limiter uses Redis's own. Times that it takes and
	// returns are by this clock, so callers must compare them with it.
	Now func() time.Time

	// redisNow is the time in µs that scripts are given, for tests; nil: they ask Redis.
	redisNow func() int64

	mu      sync.Mutex
	entries map[Key]*entry
	usage   usage
}

// entry is what this worker knows of one key.
type entry struct {
	permits permits
	copy    stateCopy
	// usedIn is the last second in which its state was asked for, see usage; the
	// Limiter's mu guards it.
	usedIn int64
}

func newEntry() *entry {
	return &entry{
		permits: permits{asking: semaphore.NewWeighted(1), factor: 1},
		copy:    stateCopy{asking: semaphore.NewWeighted(1)},
	}
}

// Take takes n permits and returns 0, or takes nothing and returns how long to wait
// before asking again. high requests get permits before all others: those are refused
// while a high one could be granted. Permits are taken from Redis in blocks of up to
// 50 ms' worth, so that most calls need no round trip.
//
// After an error nothing was taken.
func (l *Limiter) Take(ctx context.Context, k Key, lim Limit, n int, high bool) (wait time.Duration, err error) {
	if lim.Rate <= 0 || n <= 0 {
		return 0, nil
	}
	p := &l.entry(k).permits
	if wait, ok := p.answer(l.now(), n, high); ok {
		return wait, nil
	}
	// One caller at a time asks Redis; those after it use its answer.
	if err := p.asking.Acquire(ctx, 1); err != nil {
		return 0, fmt.Errorf("take permits: %w", err)
	}
	defer p.asking.Release(1)
	now := l.now()
	if wait, ok := p.answer(now, n, high); ok {
		return wait, nil
	}
	take, back := p.plan(now, n, lim)
	wait, factor, err := l.takeBlock(ctx, k, lim, request{take: take, back: back, high: high, success: p.succeeded()})
	if err != nil {
		return 0, fmt.Errorf("take permits: %w", err)
	}
	p.learn(now, block{n: n, got: take, wait: wait, high: high, factor: factor})
	return wait, nil
}

// early is how long before its time a request that waits should ask again, at
// most: permits that are not taken are lost.
const early = 500 * time.Millisecond

// Waiting is a request that would wait long for its permits.
type Waiting struct {
	// Class is Normal or Bulk: requests of different classes do not wait for each other.
	Class   string
	Permits int
	// Ahead is how many permits other requests of this worker wait for, and get before it.
	Ahead int
	// Late: it had a time, and there was no room for it when that came.
	Late bool
}

// The classes of requests that wait.
const (
	Normal = "normal"
	Bulk   = "bulk"
)

// Place gives a request that would wait long a time of its own, and returns how long it
// is until then: until all requests of its class that were placed before it, by any
// worker, have had their permits. It takes no permits: at that time the request has to
// call Take. A late request is placed after those that were late before it, and before
// all others.
func (l *Limiter) Place(ctx context.Context, k Key, lim Limit, w Waiting) (time.Duration, error) {
	if lim.Rate <= 0 {
		return 0, nil
	}
	wait, err := l.place(ctx, k, lim, w)
	if err != nil {
		return 0, fmt.Errorf("place a request: %w", err)
	}
	l.entry(k).permits.place(l.now().Add(wait))
	// Not so early that more than a few requests wait at once.
	few := time.Duration(4 * float64(max(w.Permits, 1)) / lim.Rate * float64(time.Second))
	return max(wait-min(early, few), time.Millisecond), nil
}

// Idle returns the keys whose permits went unused for a second although Place gave
// requests a later time: the requests before them were canceled, for example, or the
// rate was raised. Their lines are reset, so their requests should ask now. It looks
// at keys in whose lines this worker has placed a request.
func (l *Limiter) Idle(ctx context.Context) (idle []Key, err error) {
	var errs []error
	for _, k := range l.placedAfter(l.now().Add(2 * time.Second)) {
		was, err := idleScript.Call().Key("rate", k.rate()).Arg("now", l.scriptNow()).Run(ctx, l.Redis).Bool()
		if err != nil {
			errs = append(errs, fmt.Errorf("look for unused permits: %w", err))
		}
		if was {
			idle = append(idle, k)
		}
	}
	return idle, errors.Join(errs...)
}

// placedAfter returns the keys at which this worker has given a request a time after
// the given one.
func (l *Limiter) placedAfter(after time.Time) (all []Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, e := range l.entries {
		if e.permits.lastPlace().After(after) {
			all = append(all, k)
		}
	}
	return all
}

// Close gives the permits that were taken and not used back to the other
// workers. The Limiter can still be used.
func (l *Limiter) Close(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for k, e := range l.entries {
		lim, back := e.permits.returnAll(l.now())
		if back == 0 {
			continue
		}
		if _, _, err := l.takeBlock(ctx, k, lim, request{back: back}); err != nil {
			errs = append(errs, fmt.Errorf("return permits: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (l *Limiter) entry(k Key) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entryLocked(k)
}

// entryLocked is entry, with mu held.
func (l *Limiter) entryLocked(k Key) *entry {
	e, ok := l.entries[k]
	if !ok {
		if l.entries == nil {
			l.entries = map[Key]*entry{}
		}
		e = newEntry()
		l.entries[k] = e
	}
	return e
}

func (l *Limiter) now() time.Time {
	if l.Now == nil {
		return time.Now()
	}
	return l.Now()
}
