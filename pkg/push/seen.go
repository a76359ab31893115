package push

import "github.com/zeebo/xxh3"

// seen is a set of tokens by their 128-bit hashes: 17 bytes a place instead of
// the token itself. Two tokens out of ten billion meet with a chance of 10⁻¹⁹.
// The zero value is empty.
//
// A campaign's hashes are far larger than the processor's caches, and waiting
// for memory would be most of what a token costs. So a place is judged by its
// tag, of which there is one byte: only a token that was seen, or that looks
// like it, reads hashes, and those of new tokens are written without waiting.
type seen struct {
	tags   []byte // 0: the place is empty
	hashes []xxh3.Uint128
	n      int
	// shift leaves the top bits of a hash, its place. By these, and not the
	// lowest, the set keeps its order when it grows, and is copied in one sweep.
	shift uint
}

// add tells whether the token is new, and remembers it.
func (s *seen) add(token []byte) bool {
	if 4*(s.n+1) > 3*len(s.tags) {
		s.grow()
	}
	if !s.put(xxh3.Hash128(token)) {
		return false
	}
	s.n++
	return true
}

func (s *seen) put(h xxh3.Uint128) bool {
	tag, mask := byte(h.Hi)|1, uint64(len(s.tags)-1)
	i := h.Lo >> s.shift
	for ; s.tags[i] != 0; i = (i + 1) & mask {
		if s.tags[i] == tag && s.hashes[i] == h {
			return false
		}
	}
	s.tags[i], s.hashes[i] = tag, h
	return true
}

func (s *seen) grow() {
	tags, hashes := s.tags, s.hashes
	s.shift--
	if tags == nil {
		s.shift = 64 - 10
	}
	s.tags, s.hashes = make([]byte, 1<<(64-s.shift)), make([]xxh3.Uint128, 1<<(64-s.shift))
	for i, tag := range tags {
		if tag != 0 {
			s.put(hashes[i])
		}
	}
}
