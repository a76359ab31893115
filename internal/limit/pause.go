package limit

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// freshTime is how old the local copy of the pauses may be.
	freshTime = 100 * time.Millisecond
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
}

// Pause stops a bucket, or everything of the key with bucket "", for all
// workers until the given time by this worker's clock. They see it within
// 100 ms. It never shortens a pause; Resume ends one. reason is shown to people
// and must hold no token or secret.
func (l *Limiter) Pause(ctx context.Context, k Key, bucket string, until time.Time, reason string) error {
	left := min(until.Sub(l.now()), maxPause).Milliseconds()
	if left <= 0 {
		return nil
	}
	err := pauseScript.Run(ctx, l.Redis, []string{k.pause()}, bucket, left, reason, l.scriptNow()).Err()
	l.entry(k).pauses.outdate()
	if err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	return nil
}

// Resume ends the pause of a bucket for all workers; "" is that of the whole
// key and leaves those of its buckets. A lowered rate stays lowered.
func (l *Limiter) Resume(ctx context.Context, k Key, bucket string) error {
	err := resumeScript.Run(ctx, l.Redis, []string{k.pause(), k.rate()}, bucket, l.scriptNow()).Err()
	e := l.entry(k)
	e.pauses.outdate()
	e.permits.listen()
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return nil
}

// Paused tells whether the bucket or its whole key is paused, and until when
// and why: the one that ends last. It asks Redis at most every 100 ms, and only
// while it is asked itself. When Redis does not answer, nothing that is sent
// could be recorded: then the key is paused for a second, the reason says why.
func (l *Limiter) Paused(ctx context.Context, k Key, bucket string) (until time.Time, reason string, ok bool) {
	e := l.entry(k)
	err := l.refresh(ctx, k, e)
	now := l.now()
	if p, ok := e.pauses.longest(now, bucket); ok {
		return p.Until, p.Reason, true
	}
	if err != nil {
		return now.Add(unknownTime), err.Error(), true
	}
	return time.Time{}, "", false
}

func (l *Limiter) refresh(ctx context.Context, k Key, e *entry) error {
	if e.pauses.fresh(l.now()) {
		return nil
	}
	if err := e.pauses.asking.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("read pauses: %w", err)
	}
	defer e.pauses.asking.Release(1)
	now := l.now()
	if e.pauses.fresh(now) {
		return nil
	}
	all, err := l.Pauses(ctx, k)
	if err != nil {
		return err
	}
	e.pauses.learn(now, all)
	if p, ok := e.pauses.longest(now, ""); ok {
		e.permits.ignore(p.Until)
	} else {
		e.permits.listen()
	}
	return nil
}

// Pauses reads all pauses of a key from Redis, by bucket.
func (l *Limiter) Pauses(ctx context.Context, k Key) ([]Pause, error) {
	now := l.now()
	reply, err := pausesScript.Run(ctx, l.Redis, []string{k.pause()}, l.scriptNow()).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("read pauses: %w", err)
	}
	return parsePauses(reply, now), nil
}

// parsePauses reads the answer of pauses.lua into this worker's time. An entry
// that is over, or cannot be read, is none.
func parsePauses(reply []string, now time.Time) []Pause {
	if len(reply) == 0 {
		return nil
	}
	redisNow, _ := strconv.ParseInt(reply[0], 10, 64)
	var all []Pause
	for pair := range slices.Chunk(reply[1:], 2) {
		if len(pair) != 2 {
			break
		}
		end, reason, _ := strings.Cut(pair[1], " ")
		us, err := strconv.ParseInt(end, 10, 64)
		if left := us - redisNow; err == nil && us > redisNow && left > 0 && left <= maxPause.Microseconds() {
			all = append(all, Pause{pair[0], now.Add(time.Duration(left) * time.Microsecond), reason})
		}
	}
	slices.SortFunc(all, func(a, b Pause) int { return cmp.Compare(a.Bucket, b.Bucket) })
	return all
}

// maxPause is far beyond any quota's window; keeps arithmetic from overflowing.
const maxPause = 400 * 24 * time.Hour

func (p *pauses) fresh(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.fetched.IsZero() && now.Sub(p.fetched) < freshTime
}

func (p *pauses) outdate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetched = time.Time{}
}

func (p *pauses) learn(now time.Time, all []Pause) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetched, p.all = now, all
}

// longest returns the pause of the bucket or of everything that ends last.
func (p *pauses) longest(now time.Time, bucket string) (longest Pause, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.all {
		if (one.Bucket == "" || one.Bucket == bucket) && one.Until.After(now) && one.Until.After(longest.Until) {
			longest, ok = one, true
		}
	}
	return longest, ok
}
