package push

import "github.com/zeebo/xxh3"

// seen is a set of tokens by their 128-bit hashes: 16 bytes a token instead of
// the token itself. Two of ten billion tokens collide with a probability of 10⁻¹⁹.
type seen struct {
	slots []xxh3.Uint128
	n     int
	zero  bool
}

// add reports whether the token with this hash is new, and remembers it.
func (s *seen) add(h xxh3.Uint128) bool {
	if h == (xxh3.Uint128{}) {
		was := s.zero
		s.zero = true
		return !was
	}
	if 4*(s.n+1) > 3*len(s.slots) {
		s.grow()
	}
	if !s.put(h) {
		return false
	}
	s.n++
	return true
}

func (s *seen) put(h xxh3.Uint128) bool {
	mask := uint64(len(s.slots) - 1)
	for i := h.Lo & mask; ; i = (i + 1) & mask {
		switch s.slots[i] {
		case xxh3.Uint128{}:
			s.slots[i] = h
			return true
		case h:
			return false
		}
	}
}

func (s *seen) grow() {
	old := s.slots
	s.slots = make([]xxh3.Uint128, max(1024, 2*len(old)))
	for _, h := range old {
		if h != (xxh3.Uint128{}) {
			s.put(h)
		}
	}
}

// recentTokens is how many tokens are collected before they are looked up. A campaign's
// set is far larger than the processor's caches, and waiting for memory would be most
// of what a token costs; for sixteen tokens the processor waits once.
const recentTokens = 16

// recent are a lane's last tokens; it is not known yet whether they are new.
type recent struct {
	bytes  []byte
	ends   [recentTokens]int // of the tokens in bytes
	hashes [recentTokens]xxh3.Uint128
	n      int
}

// add adds a token and reports whether there is no room for another: then call take.
func (h *recent) add(token []byte) (full bool) {
	h.bytes = append(h.bytes, token...)
	h.ends[h.n], h.hashes[h.n] = len(h.bytes), xxh3.Hash128(token)
	h.n++
	return h.n == recentTokens
}

// take hands over the tokens that s did not have, and empties h.
func (h *recent) take(s *seen, yield func(token []byte)) {
	var fresh [recentTokens]bool
	for i, hash := range h.hashes[:h.n] { // nothing else in this loop: see recentTokens
		fresh[i] = s.add(hash)
	}
	from := 0
	for i, end := range h.ends[:h.n] {
		if fresh[i] {
			yield(h.bytes[from:end])
		}
		from = end
	}
	h.bytes, h.n = h.bytes[:0], 0
}
