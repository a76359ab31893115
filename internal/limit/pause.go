package limit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// freshTime is how old the local copy of the pauses may be. With many keys in
	// use it is freshEach for each of them, so that a worker reads pauses at most
	// 200 times a second, up to staleTime.
	freshTime = 100 * time.Millisecond
	freshEach = 5 * time.Millisecond
	staleTime = time.Second
	// unknownTime is the pause when Redis does not say whether there is one.
	unknownTime = time.Second
)

// Pause says that nothing is to be sent before Until.
type Pause struct {
	Bucket string // the quota bucket; "" is everything of the app at the vendor
	Until  time.Time
	Reason string // for people
}

// pauses is the local copy of the pauses of one key.
type pauses struct {
	asking *semaphore.Weighted // one goroutine at a time asks Redis; held across I/O

	mu      sync.Mutex
	fetched time.Time // zero: never, or something changed since
	all     []Pause
	stop    *Stop // nil: nothing is stopped
	faults  bool  // requests failed, and more of them come to a stop
	// parked are the parked jobs and until when, unless there are more.
	parked map[string]time.Time
	more   bool
	// The last answer to who wanted to be the probe, and until when it is believed.
	refused Pass
	believe time.Time
}

// Pause holds a bucket, or everything of the key with bucket "", for all workers
// until the given time by this worker's clock. They see it within 100 ms, or
// within a second where they work for hundreds of keys. It
// never shortens a pause, and tells whether there was none so long; Resume ends
// one. reason is shown to people and must hold no token or secret.
func (l *Limiter) Pause(ctx context.Context, k Key, bucket string, until time.Time, reason string) (news bool, err error) {
	// Rounded up: a quota's window must not be met a moment too early.
	left := (min(until.Sub(l.now()), maxPause) + time.Millisecond - 1).Milliseconds()
	if left <= 0 {
		return false, nil
	}
	news, err = pauseScript.Call().
		Key("pauses", k.pause()).
		Arg("bucket", bucket).Arg("length", left).Arg("reason", reason).Arg("now", l.scriptNow()).
		Run(ctx, l.Redis).Bool()
	l.entry(k).pauses.outdate()
	if err != nil {
		return false, fmt.Errorf("pause: %w", err)
	}
	return news, nil
}

// Resume ends the pause of a bucket for all workers, and tells whether there was
// one; "" is that of the whole key, its stop and its parked jobs, and leaves the
// pauses of buckets. A lowered rate stays lowered.
func (l *Limiter) Resume(ctx context.Context, k Key, bucket string) (was bool, err error) {
	ended, err := resumeScript.Call().
		Key("pauses", k.pause()).
		Key("rate", k.rate()).
		Key("stop", k.stop()).
		Key("jobs", k.jobs()).
		Key("forget", k.forget()).
		Key("codes", k.codes()).
		Arg("bucket", bucket).
		Arg("now", l.scriptNow()).
		Run(ctx, l.Redis).Int()
	e := l.entry(k)
	e.pauses.outdate()
	e.permits.listen()
	if err != nil {
		return false, fmt.Errorf("resume: %w", err)
	}
	return ended > 0, nil
}

// Pass is what a request is told that wants to be made.
type Pass struct {
	// Until is when to ask again, Why for people; zero: it may be made now.
	Until time.Time
	Why   string
	// Unknown: Redis did not say whether there is a pause.
	Unknown bool
	// Probe names the request if everything is stopped but it: its answer goes
	// to Well or Stop, or the probe back with Release.
	Probe string
}

// Pass tells whether a request that belongs to the buckets may be made now. It
// asks Redis at most every 100 ms, seldomer with many keys, and only while it is asked itself. When
// Redis does not answer, nothing that is sent could be recorded: then the key
// is paused for a second. bound is how long the answer to a probe may take.
func (l *Limiter) Pass(ctx context.Context, k Key, buckets []string, bound time.Duration) Pass {
	e, err := l.refresh(ctx, k)
	now := l.now()
	if p, ok := e.pauses.longest(now, buckets); ok {
		return Pass{Until: p.Until, Why: p.Reason}
	}
	if err != nil {
		return Pass{Until: now.Add(unknownTime), Why: err.Error(), Unknown: true}
	}
	if reason, stopped := e.pauses.stopped(); stopped {
		return l.probe(ctx, k, e, bound, reason)
	}
	return Pass{}
}

// round is a second in which it is counted how many keys are in use.
type round struct {
	n            int64
	began        time.Time
	keys, before int // in this one so far, and in the one before
}

// inUse returns a key's entry, and how old the copy of its pauses may be.
func (l *Limiter) inUse(k Key) (e *entry, age time.Duration) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	e, r := l.entryLocked(k), &l.round
	if over := now.Sub(r.began); over >= time.Second {
		*r = round{n: r.n + 1, began: now, before: r.keys}
		if over >= 2*time.Second {
			r.before = 0
		}
	}
	if e.round != r.n {
		e.round = r.n
		r.keys++
	}
	return e, min(max(freshTime, time.Duration(max(r.keys, r.before))*freshEach), staleTime)
}

// refresh reads the key's pauses if the local copy of them is too old. It returns
// the key's entry also with an error.
func (l *Limiter) refresh(ctx context.Context, k Key) (*entry, error) {
	e, age := l.inUse(k)
	if e.pauses.fresh(l.now(), age) {
		return e, nil
	}
	if err := e.pauses.asking.Acquire(ctx, 1); err != nil {
		return e, fmt.Errorf("read pauses: %w", err)
	}
	defer e.pauses.asking.Release(1)
	now := l.now()
	if e.pauses.fresh(now, age) {
		return e, nil
	}
	st, err := l.state(ctx, k, localParked)
	if err != nil {
		return e, err
	}
	e.pauses.learn(now, st)
	p, paused := e.pauses.longest(now, nil)
	switch {
	case st.Stop != nil:
		e.permits.ignore(now.Add(maxPause))
	case paused:
		e.permits.ignore(p.Until)
	default:
		e.permits.listen()
	}
	return e, nil
}

// maxPause is far beyond any quota's window; keeps arithmetic from overflowing.
const maxPause = 400 * 24 * time.Hour

func (p *pauses) fresh(now time.Time, age time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.fetched.IsZero() && now.Sub(p.fetched) < age
}

func (p *pauses) outdate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetched = time.Time{}
}

func (p *pauses) learn(now time.Time, st State) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetched, p.all, p.stop, p.faults = now, st.Pauses, st.Stop, st.Faults > 0
	p.parked, p.more = nil, st.AllParked > len(st.Parked)
	for _, j := range st.Parked {
		if p.parked == nil {
			p.parked = map[string]time.Time{}
		}
		p.parked[j.Job] = j.Until
	}
}

// longest returns the pause of one of the buckets or of everything, or the
// pause of the stop, that ends last.
func (p *pauses) longest(now time.Time, buckets []string) (longest Pause, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil && p.stop.Until.After(now) {
		longest, ok = Pause{Until: p.stop.Until, Reason: p.stop.Reason}, true
	}
	for _, one := range p.all {
		concerned := one.Bucket == "" || slices.Contains(buckets, one.Bucket)
		if concerned && one.Until.After(now) && one.Until.After(longest.Until) {
			longest, ok = one, true
		}
	}
	return longest, ok
}
