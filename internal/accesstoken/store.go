package accesstoken

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

const (
	// lockTime is how long one worker may ask the vendor before others regard it as dead;
	// the work of a killed worker has to continue elsewhere within 15 s.
	lockTime = 10 * time.Second
	// grantTime bounds a grant, well below lockTime.
	grantTime = 8 * time.Second
	// pollTime is how often a worker without a token checks whether another got one.
	pollTime = 25 * time.Millisecond
	// recordTime bounds the storing of the vendor's answer after the caller has left.
	recordTime = time.Second
)

// Store hands out access tokens. Redis must be set; it is safe for concurrent
// use. Its goroutines end at the latest when all callers have left.
type Store struct {
	Redis redis.UniversalClient
	// Now is the clock; nil: time.Now. Only its differences count, so clocks of
	// workers may differ: lifetimes run on Redis's own.
	Now func() time.Time
	// Key encrypts tokens in Redis with AES-256-GCM; it has 32 bytes. Nil: plain.
	Key []byte
	// Backoff says how long no worker asks again after the nth refusal in a row, n from 1;
	// 0: the next caller asks at once. Nil: DefaultBackoff.
	Backoff func(refusal *vendors.Error, n int) time.Duration
	// Observe is called for every grant that this worker asked for, with the refusal or
	// nil; it must not block. Nil: it is not called.
	Observe func(app, vendor string, refusal *vendors.Error)

	searches coord.Flight[*slot, string]

	mu    sync.Mutex
	slots map[owner][]*slot
}

// owner is whose token it is.
type owner struct{ app, vendor string }

// Access returns a valid access token of the app at the vendor. It asks g for one only
// when there is none, or it expires soon, and no other worker is asking; callers of one
// worker share one request, which continues when one of them is canceled. fingerprint is
// a hash of the credentials: a token that was granted, or a refusal, with other
// credentials does not count.
//
// A refusal, also one that another worker got, is a *vendors.Error whose RetryAfter says
// when to ask again. A token that is still valid is returned even if its renewal fails or
// Redis is not reachable.
func (s *Store) Access(ctx context.Context, app, vendor string, g vendors.Granter, fingerprint string) (string, error) {
	if len(s.Key) != 0 && len(s.Key) != keySize {
		return "", fmt.Errorf("encrypt access token: the key has %d bytes, want %d", len(s.Key), keySize)
	}
	sl := s.slot(app, vendor, fingerprint)
	access, due := sl.current(s.now())
	if access != "" && (!due || s.searches.Busy(sl)) {
		return access, nil
	}
	access, err := s.searches.Do(ctx, sl, func(ctx context.Context) (string, error) { return s.search(ctx, sl, g) })
	if err != nil && ctx.Err() != nil {
		return s.live(sl, fmt.Errorf("wait for access token: %w", err))
	}
	return access, err
}

// search is done once for all of this worker's callers that need the token.
func (s *Store) search(ctx context.Context, sl *slot, g vendors.Granter) (string, error) {
	if err := sl.asking.Acquire(ctx, 1); err != nil {
		return "", fmt.Errorf("wait for access token: %w", err)
	}
	defer sl.asking.Release(1)
	if access, due := sl.current(s.now()); !due {
		return access, nil
	}
	return s.obtain(ctx, sl, g)
}

// Invalidate deletes an access token that Access returned and the vendor then refused.
// If there is a newer one, it is kept.
func (s *Store) Invalidate(ctx context.Context, app, vendor, access string) error {
	s.mu.Lock()
	slots := s.slots[owner{app, vendor}]
	s.mu.Unlock()
	for _, sl := range slots {
		if err := s.invalidate(ctx, sl, access); err != nil {
			return fmt.Errorf("invalidate access token: %w", err)
		}
	}
	return nil
}

func (s *Store) invalidate(ctx context.Context, sl *slot, access string) error {
	// No goroutine may read the token from Redis between the two deletions.
	if err := sl.asking.Acquire(ctx, 1); err != nil {
		return err
	}
	defer sl.asking.Release(1)
	sl.forget(access)
	value, err := s.Redis.Get(ctx, sl.key).Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return err
	}
	if stored, ok := s.open(sl.key, value); !ok || stored.Access != access {
		return nil
	}
	return coord.Release(ctx, s.Redis, sl.key, value)
}

// obtain gets a token from Redis, or from the vendor if this worker gets the lock.
func (s *Store) obtain(ctx context.Context, sl *slot, g vendors.Granter) (string, error) {
	for {
		st, err := s.read(ctx, sl)
		if err != nil {
			return s.live(sl, fmt.Errorf("read access token: %w", err))
		}
		if st.settled() {
			return st.answer()
		}
		lock, err := s.lock(ctx, sl)
		if err != nil {
			return s.live(sl, fmt.Errorf("lock access token: %w", err))
		}
		if lock != "" {
			return s.renew(ctx, sl, g, lock)
		}
		if st.access != "" {
			return st.access, nil // another worker is renewing it
		}
		coord.Sleep(ctx, pollTime)
		if err := ctx.Err(); err != nil {
			return "", fmt.Errorf("wait for access token: %w", err)
		}
	}
}

// renew has the lock. It reads the token once more, since the last holder may have
// finished between our reading and our lock, and then asks the vendor.
func (s *Store) renew(ctx context.Context, sl *slot, g vendors.Granter, lock string) (string, error) {
	st, err := s.read(ctx, sl)
	if err != nil || st.settled() {
		s.unlock(ctx, sl, lock)
		if err != nil {
			return s.live(sl, fmt.Errorf("read access token: %w", err))
		}
		return st.answer()
	}
	start := s.now()
	grantCtx, cancel := context.WithTimeout(ctx, grantTime)
	grant, err := g.Grant(grantCtx, start)
	cancel()
	if err == nil && (grant.Access == "" || grant.Lifetime <= 0) {
		err = vendors.MalformedError("fetch access token", errors.New("no token, or one without a lifetime"))
	}
	switch {
	case err == nil:
		s.observe(sl, nil)
		return s.keep(ctx, sl, lock, grant, start)
	case ctx.Err() != nil: // all callers left; the vendor did not refuse
		s.unlock(ctx, sl, lock)
		return s.live(sl, fmt.Errorf("fetch access token: %w", err))
	}
	refusal := asRefusal(err)
	s.observe(sl, refusal)
	return s.live(sl, s.refuse(ctx, sl, lock, refusal, st.refusals+1))
}

// live returns the token that this worker knows to be valid, else the error. The error
// will occur again when it matters.
func (s *Store) live(sl *slot, err error) (string, error) {
	if access, _ := sl.current(s.now()); access != "" {
		return access, nil
	}
	return "", err
}

func (s *Store) observe(sl *slot, refusal *vendors.Error) {
	if s.Observe != nil {
		s.Observe(sl.app, sl.vendor, refusal)
	}
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// asRefusal turns an error of a Granter that says no code into a broken request.
func asRefusal(err error) *vendors.Error {
	if refusal, ok := errors.AsType[*vendors.Error](err); ok {
		return refusal
	}
	return &vendors.Error{
		Op: "fetch access token", Code: classify.Code{Level: classify.Transport, Code: classify.Broken}, Err: err,
	}
}
