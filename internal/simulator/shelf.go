package simulator

import (
	"fmt"
	"sync"
	"time"

	"github.com/zeebo/xxh3"
)

// shelf holds messages that clients laid up, for vendors whose sends name a
// message instead of holding one. What is over stays, so that it can be told
// from what never was.
type shelf struct {
	mu      sync.Mutex
	byID    map[string]*laidUp
	byDedup map[owner]*laidUp // app and the client's id against saving twice
}

// laidUp is a message on the shelf.
type laidUp struct {
	id, app string
	content uint64
	expires time.Time
	bucket  string // which quota it counts against
	test    bool
	asked   asked
}

func newShelf() *shelf { return &shelf{byID: map[string]*laidUp{}, byDedup: map[owner]*laidUp{}} }

// put lays a message up, unless one with the same dedup id lies there: then it
// returns that one, and twice is true.
func (s *shelf) put(m laidUp, dedup string, now time.Time) (kept laidUp, twice bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := owner{m.app, dedup}
	if old := s.byDedup[key]; dedup != "" && old != nil && now.Before(old.expires) {
		return *old, true
	}
	s.byID[m.id] = &m
	s.byDedup[key] = &m
	return m, false
}

// find returns the message with that id, and whether it may still be sent.
func (s *shelf) find(id, app string, now time.Time) (laidUp, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.byID[id]
	if m == nil || m.app != app {
		return laidUp{}, false
	}
	return *m, now.Before(m.expires)
}

// contentOf tells one message from another.
func contentOf(parts ...any) uint64 { return xxh3.HashString(fmt.Sprintf("%q", parts)) }

// vendorID looks like the ids of the documents: 24 hex digits, no two alike.
func (c *call) vendorID() string {
	return fmt.Sprintf("%08x%016x", uint32(c.now.Unix()), c.sim.serial.Add(1)) //nolint:gosec // looks alone matter
}

// first counts a token for what mark names, and tells whether it was the first time.
func (c *counts) first(h xxh3.Uint128, mark string) bool {
	m := xxh3.HashString128(mark)
	h.Hi, h.Lo = scramble(h.Hi^m.Hi), scramble(h.Lo^m.Lo)
	s := &c.shards[h.Lo%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count(h)
}
