package accesstoken

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/postrider/postrider/pkg/push/wire"
)

const (
	renewBefore  = 5 * time.Minute      // before a token's end, or a tenth of its life where that is less
	recheckEvery = 5 * time.Second      // until a worker learns that another one renewed or invalidated a token
	maxLifetime  = 400 * 24 * time.Hour // far beyond any vendor's; keeps arithmetic from overflowing
)

// slot is what this worker knows about one token, and its keys in Redis, which are in
// one hash slot.
type slot struct {
	owner
	key      string // the token
	lock     string // the worker that asks the vendor
	refused  string // the vendor's refusal, as long as no worker asks again
	refusals string // how many there were in a row

	// asking lets one goroutine of this worker at a time talk to Redis or the
	// vendor about the token. It is held across I/O, so it waits on a context.
	asking *semaphore.Weighted

	mu      sync.Mutex
	access  string        // "": none
	expires time.Time     // when the token ends
	early   time.Duration // before expires one worker should renew it
	check   time.Time     // when to read Redis again
}

// slot returns the slot for these credentials. The encryption key is part of
// the name, so that workers with different configurations do not replace each other's
// tokens.
func (s *Store) slot(app, vendor, fingerprint string) *slot {
	mac := hmac.New(sha256.New, s.Key)
	mac.Write([]byte(fingerprint))
	credentials := hex.EncodeToString(mac.Sum(nil)[:8])
	key := wire.AccessKey(app, vendor, credentials)
	s.mu.Lock()
	defer s.mu.Unlock()
	o := owner{app, vendor}
	for _, sl := range s.slots[o] {
		if sl.key == key {
			return sl
		}
	}
	sl := &slot{
		owner: o, key: key, lock: wire.AccessLockKey(app, vendor, credentials),
		refused: wire.AccessRefusedKey(app, vendor, credentials), refusals: wire.AccessRefusalsKey(app, vendor, credentials),
		asking: semaphore.NewWeighted(1),
	}
	if s.slots == nil {
		s.slots = map[owner][]*slot{}
	}
	s.slots[o] = append(s.slots[o], sl)
	return sl
}

// current returns the valid token or "", and whether it is time to ask Redis.
func (sl *slot) current(now time.Time) (access string, due bool) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if sl.access == "" || !now.Before(sl.expires) {
		return "", true
	}
	return sl.access, !now.Before(sl.check)
}

// learn stores a token that Redis or the vendor returned, with what is left of its
// lifetime at now. It reports whether the token should be renewed.
func (sl *slot) learn(t token, now time.Time, left time.Duration) (due bool) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	lifetime := time.Duration(min(t.LifetimeMS, maxLifetime.Milliseconds())) * time.Millisecond
	sl.expires = now.Add(left)
	if t.Access != sl.access {
		sl.access = t.Access
		// Up to half as much earlier, at random, so that workers do not all try at once.
		sl.early = min(renewBefore, lifetime/10)
		sl.early += time.Duration(rand.Int64N(int64(sl.early/2) + 1))
	}
	sl.check = now.Add(min(recheckEvery, lifetime/20))
	return left <= sl.early
}

// postpone keeps other callers from asking while Redis is being asked.
func (sl *slot) postpone(now time.Time) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	sl.check = now.Add(recheckEvery)
}

// forget drops the given token, or any for "".
func (sl *slot) forget(access string) {
	sl.mu.Lock()
	defer sl.mu.Unlock()
	if access == "" || sl.access == access {
		sl.access = ""
	}
}
