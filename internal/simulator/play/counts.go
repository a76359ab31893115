package play

import (
	"math/bits"
	"sync"

	"github.com/zeebo/xxh3"
)

// Counts counts how often each token was accepted. Of a token it keeps 112 bits
// of its hash and a counter of 16 bits: 16 bytes a slot, 19 to 27 bytes a token.
// Two of 10 million tokens share a hash once in 10^20 runs. The zero value is
// ready to use, by many goroutines at once.
type Counts struct {
	shards [shards]shard
}

// shard is an open-addressed table with linear probing. It grows by half of its
// size, so that memory stays close to what is needed.
type shard struct {
	mu     sync.Mutex
	slots  []slot
	used   int
	warmth uint64 // see warm
}

// slot holds a hash and, in the lowest 16 bits of hi, the counter, which stops
// at its highest value. A counter of 0 is an empty slot.
type slot struct{ hi, lo uint64 }

const counterBits = 0xffff

// Add counts every token of a batch that was not rejected. fresh is how many were
// never counted before.
func (c *Counts) Add(b *batch) (added, fresh int) {
	for s := range b.head {
		if b.head[s] >= 0 {
			n, f := c.shards[s].add(b, b.head[s])
			added, fresh = added+n, fresh+f
		}
	}
	return added, fresh
}

// of returns how often a token was accepted.
func (c *Counts) of(token string) int {
	h := xxh3.HashString128(token)
	s := &c.shards[h.Lo%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.slots) == 0 {
		return 0
	}
	return int(s.find(h.Hi&^counterBits, h.Lo).hi & counterBits)
}

// First counts a token together with a mark (an idempotency key, say), and reports
// whether it is the first time for the two.
func (c *Counts) First(token xxh3.Uint128, mark string) bool {
	m := xxh3.HashString128(mark)
	h := xxh3.Uint128{Hi: scramble(token.Hi ^ m.Hi), Lo: scramble(token.Lo ^ m.Lo)}
	s := &c.shards[h.Lo%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count(h)
}

func (c *Counts) reset() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.slots, s.used = nil, 0
		s.mu.Unlock()
	}
}

func (s *shard) add(b *batch, head int32) (added, fresh int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.warm(b, head)
	for i := head; i >= 0; i = b.next[i] {
		if b.rejected[i] {
			continue
		}
		added++
		if s.count(b.hashes[i]) {
			fresh++
		}
	}
	return added, fresh
}

// warm reads the slots that a list is about to use. Nothing depends on what it
// reads, so the processor fetches all of them at once, not one after the other:
// with a million tokens a request takes a fifth less time.
func (s *shard) warm(b *batch, head int32) {
	n := uint64(len(s.slots))
	if n == 0 {
		return
	}
	var sum uint64
	for i := head; i >= 0; i = b.next[i] {
		at, _ := bits.Mul64(b.hashes[i].Hi&^counterBits, n)
		sum += s.slots[at].hi
	}
	s.warmth = sum // else the compiler would remove the reads
}

// count adds 1 to a token and reports whether it was the first.
func (s *shard) count(h xxh3.Uint128) (first bool) {
	if s.used*6 >= len(s.slots)*5 {
		s.grow()
	}
	key := h.Hi &^ counterBits
	at := s.find(key, h.Lo)
	switch at.hi & counterBits {
	case 0:
		*at = slot{hi: key | 1, lo: h.Lo}
		s.used++
		return true
	case counterBits:
		return false
	}
	at.hi++
	return false
}

// find returns the slot of a hash, or the empty slot where it belongs.
func (s *shard) find(key, lo uint64) *slot {
	n := uint64(len(s.slots))
	for i, _ := bits.Mul64(key, n); ; {
		at := &s.slots[i]
		if at.hi&counterBits == 0 || at.lo == lo && at.hi&^counterBits == key {
			return at
		}
		if i++; i == n {
			i = 0
		}
	}
}

func (s *shard) grow() {
	old := s.slots
	s.slots = make([]slot, max(len(old)*3/2, 64))
	for _, o := range old {
		if o.hi&counterBits != 0 {
			*s.find(o.hi&^counterBits, o.lo) = o
		}
	}
}
