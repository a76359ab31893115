package limit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// freshTime is how old the local copy of a key's state may be. With many keys in
	// use it is freshEach for each of them, so that a worker reads states at most 200
	// times a second, up to staleTime.
	freshTime = 100 * time.Millisecond
	freshEach = 5 * time.Millisecond
	staleTime = time.Second
)

// stateCopy is the local copy of the state of one key.
type stateCopy struct {
	asking *semaphore.Weighted // one goroutine at a time asks Redis; held across I/O

	mu    sync.Mutex
	read  time.Time // when state was read; zero: never, or something changed since
	state State
	// failing: requests failed, and if more do there is a stop.
	failing bool
	// noProbe is the last answer to a request that asked to be the probe, and
	// believeUntil until when it holds for others.
	noProbe      Pass
	believeUntil time.Time
}

// refresh reads the key's state if the local copy is too old. It returns the key's
// entry also with an error.
func (l *Limiter) refresh(ctx context.Context, k Key) (*entry, error) {
	e, age := l.inUse(k)
	if e.copy.fresh(l.now(), age) {
		return e, nil
	}
	if err := e.copy.asking.Acquire(ctx, 1); err != nil {
		return e, fmt.Errorf("read pauses: %w", err)
	}
	defer e.copy.asking.Release(1)
	now := l.now()
	if e.copy.fresh(now, age) {
		return e, nil
	}
	st, err := l.state(ctx, k, localParked)
	if err != nil {
		return e, err
	}
	e.copy.store(now, st)
	switch end := st.pausedUntil(now, nil); {
	case st.Stop != nil:
		e.permits.pause(now.Add(maxPause))
	case end.Until.After(now):
		e.permits.pause(end.Until)
	default:
		e.permits.resume()
	}
	return e, nil
}

// fresh reports whether the copy is younger than age.
func (c *stateCopy) fresh(now time.Time, age time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.read.IsZero() && now.Sub(c.read) < age
}

// outdate has the state read again before it is used.
func (c *stateCopy) outdate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = time.Time{}
}

func (c *stateCopy) store(now time.Time, st State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read, c.state, c.failing = now, st, st.Faults > 0
}

// get returns the state as it was read last.
func (c *stateCopy) get() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// failed notes that a request failed: what was read before is old.
func (c *stateCopy) failed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read, c.failing = time.Time{}, true
}

// mayStop reports whether requests failed, and none of them stopped the key yet.
func (c *stateCopy) mayStop() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failing && c.state.Stop == nil
}

// refuseProbes remembers for a while that another request is the probe.
func (c *stateCopy) refuseProbes(now time.Time, wait time.Duration, reason string) Pass {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noProbe = Pass{Until: now.Add(wait), Why: reason}
	c.believeUntil = now.Add(min(wait, probeAgain))
	return c.noProbe
}

// probeRefusal is what refuseProbes remembers, if it still holds.
func (c *stateCopy) probeRefusal(now time.Time) (Pass, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.noProbe, now.Before(c.believeUntil) && c.state.Stop != nil
}

// pausedUntil returns the pause of one of the buckets or of everything, or that of
// the stop, that ends last; the zero Pause: there is none.
func (st *State) pausedUntil(now time.Time, buckets []string) (last Pause) {
	if st.Stop != nil && st.Stop.Until.After(now) {
		last = Pause{Until: st.Stop.Until, Reason: st.Stop.Reason}
	}
	for _, p := range st.Pauses {
		concerned := p.Bucket == "" || slices.Contains(buckets, p.Bucket)
		if concerned && p.Until.After(now) && p.Until.After(last.Until) {
			last = p
		}
	}
	return last
}

// parkedOf returns which of the jobs are parked, and until when. Not ok: more jobs
// are parked than are named.
func (st *State) parkedOf(jobs []string) (parked map[string]time.Time, ok bool) {
	if st.AllParked > len(st.Parked) {
		return nil, false
	}
	for _, j := range jobs {
		i, found := slices.BinarySearchFunc(st.Parked, j, func(p Parked, job string) int { return cmp.Compare(p.Job, job) })
		if !found {
			continue
		}
		if parked == nil {
			parked = map[string]time.Time{}
		}
		parked[j] = st.Parked[i].Until
	}
	return parked, true
}

// usage counts how many keys are in use, second by second.
type usage struct {
	second       int64
	began        time.Time
	keys, before int // in this second so far, and in the one before
}

// inUse returns a key's entry, and how old the copy of its state may be.
func (l *Limiter) inUse(k Key) (e *entry, age time.Duration) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	e, u := l.entryLocked(k), &l.usage
	if over := now.Sub(u.began); over >= time.Second {
		*u = usage{second: u.second + 1, began: now, before: u.keys}
		if over >= 2*time.Second {
			u.before = 0
		}
	}
	if e.usedIn != u.second {
		e.usedIn = u.second
		u.keys++
	}
	return e, min(max(freshTime, time.Duration(max(u.keys, u.before))*freshEach), staleTime)
}
