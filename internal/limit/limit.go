// Package limit keeps all workers together under one rate limit per (app,
// vendor), and holds the pauses and stops that they all respect. A pause ends
// at its time; a stop ends when one request, its probe, has shown that it may. A
// job is parked when only its own requests are at fault: then it waits like that
// alone, and the app's other jobs go on.
//
// It knows permits, rates, pauses, stops and parked jobs, and keeps them in Redis. It does not know
// what a permit is for (the vendor's own unit: tokens, requests or messages),
// which answer calls for a pause, or how long a quota's window is: the caller
// says so. It never waits: it says how long the caller should.
package limit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Key is what is limited: one app at one vendor.
type Key struct{ App, Vendor string }

// tag keeps all keys of ours about it in one slot of a cluster.
func (k Key) tag() string { return "{" + k.App + ":" + k.Vendor + "}" }

func (k Key) rate() string  { return "postrider:rate:" + k.tag() }
func (k Key) pause() string { return "postrider:pause:" + k.tag() }
func (k Key) stop() string  { return "postrider:pause:" + k.tag() + ":stop" }

// jobs, forget and codes are what park.lua keeps of parked jobs.
func (k Key) jobs() string   { return "postrider:pause:" + k.tag() + ":jobs" }
func (k Key) forget() string { return "postrider:pause:" + k.tag() + ":jobs:forget" }
func (k Key) codes() string  { return "postrider:pause:" + k.tag() + ":codes" }

// Limit is a rate limit shared by all workers.
type Limit struct {
	// Rate is permits a second; 0: no limit.
	Rate float64
	// Burst is one block: the most permits that one request takes. What goes out
	// in any second is at most Rate + Burst. 0: 1. A request may take more than
	// Burst; then that is the block.
	Burst int
}

// Limiter hands out permits and keeps pauses. Redis must be set; it is safe for
// concurrent use, starts no goroutines and makes no Redis call unless asked.
type Limiter struct {
	Redis redis.UniversalClient
	// Now is the clock; nil: time.Now. Only its differences count, so workers'
	// clocks may differ: the limiter runs on Redis's own. Times that it takes and
	// returns are by this clock, so who compares them must go by it too.
	Now func() time.Time

	// redisNow is the time in µs that scripts are told, for tests; nil: they ask Redis.
	redisNow func() int64

	mu      sync.Mutex
	entries map[Key]*entry
	round   round
}

// entry is what this worker knows of one key.
type entry struct {
	permits permits
	pauses  pauses
	// round is the last one in which its pauses were asked for; the Limiter's mu guards it.
	round int64
}

// Take takes n permits and answers 0, or takes nothing and answers how long to
// wait before asking again. high gets its permits before everybody else: others
// are refused while it could be granted. Permits are leased from Redis in
// blocks of up to 50 ms' worth, so that most calls need no round trip.
//
// After an error nothing was taken.
func (l *Limiter) Take(ctx context.Context, k Key, lim Limit, n int, high bool) (wait time.Duration, err error) {
	if lim.Rate <= 0 || n <= 0 {
		return 0, nil
	}
	p := &l.entry(k).permits
	if wait, ok := p.local(l.now(), n, high); ok {
		return wait, nil
	}
	// Of all who find nothing here one asks Redis; the others have its answer.
	if err := p.asking.Acquire(ctx, 1); err != nil {
		return 0, fmt.Errorf("take permits: %w", err)
	}
	defer p.asking.Release(1)
	now := l.now()
	if wait, ok := p.local(now, n, high); ok {
		return wait, nil
	}
	want, back := p.plan(now, n, lim)
	wait, factor, err := l.lease(ctx, k, lim, request{take: want, back: back, high: high, success: p.succeeded()})
	if err != nil {
		return 0, fmt.Errorf("take permits: %w", err)
	}
	p.leased(now, lease{n: n, got: want, wait: wait, high: high, factor: factor})
	return wait, nil
}

// early is how long before its time who has to wait should come back, at most:
// permits that nobody is there to take are lost.
const early = 500 * time.Millisecond

// Waiting is a request that would wait long for its permits.
type Waiting struct {
	// Class is Normal or Bulk: requests of different classes are not behind each other.
	Class   string
	Permits int
	// Ahead is how many permits others of this worker wait for, and get before it.
	Ahead int
	// Late: its time has come, and there was no room for it.
	Late bool
}

// The classes of requests that wait.
const (
	Normal = "normal"
	Bulk   = "bulk"
)

// Place gives a request that would wait long a time of its own, and answers how
// long it is until then: until all of its class that were placed before it, by any
// worker, have had their permits. It takes nothing: when its time has come, it is
// to call Take. A late one is placed behind those that were late before it, and
// before all others.
func (l *Limiter) Place(ctx context.Context, k Key, lim Limit, w Waiting) (time.Duration, error) {
	if lim.Rate <= 0 {
		return 0, nil
	}
	wait, err := l.place(ctx, k, lim, w)
	if err != nil {
		return 0, fmt.Errorf("take a place: %w", err)
	}
	l.entry(k).permits.placed(l.now().Add(wait))
	// Not so early that more than a few wait at once.
	few := time.Duration(4 * float64(max(w.Permits, 1)) / lim.Rate * float64(time.Second))
	return max(wait-min(early, few), time.Millisecond), nil
}

// Idle answers the keys whose permits went unused for a second although requests
// were given a later time by Place: what was before them was canceled, say, or the
// rate was raised. Their lines begin anew, so their requests should come now. It
// looks at keys in whose lines this worker has placed somebody.
func (l *Limiter) Idle(ctx context.Context) (idle []Key, err error) {
	var errs []error
	for _, k := range l.lined(l.now().Add(2 * time.Second)) {
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

// lined are the keys in whose lines this worker has placed somebody for a time
// after that.
func (l *Limiter) lined(after time.Time) (all []Key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, e := range l.entries {
		if e.permits.lineEnd().After(after) {
			all = append(all, k)
		}
	}
	return all
}

// Close gives the permits that were leased and not used back to the other
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
		if _, _, err := l.lease(ctx, k, lim, request{back: back}); err != nil {
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
