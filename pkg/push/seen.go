package push

import "github.com/zeebo/xxh3"

// seen is a set of tokens by their 128-bit hashes: 16 bytes a token instead of
// the token itself. Two tokens out of ten billion meet with a chance of 10⁻¹⁹.
type seen struct {
	slots []xxh3.Uint128
	n     int
	zero  bool
}

// add tells whether the token is new, and remembers it.
func (s *seen) add(token []byte) bool {
	h := xxh3.Hash128(token)
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
