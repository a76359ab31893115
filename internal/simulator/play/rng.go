package play

import (
	"bytes"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/zeebo/xxh3"
)

// rng is a seeded source of random numbers that is safe for concurrent use.
type rng struct {
	mu  sync.Mutex
	rnd *rand.Rand
}

func newRNG(seed uint64) *rng {
	return &rng{rnd: rand.New(rand.NewPCG(seed, seed))}
}

// float returns a number in [0,1).
func (r *rng) float() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rnd.Float64()
}

// invalid reports whether a push token is invalid at every vendor: by its prefix,
// by a space at its beginning or end, or by the share of Options.Invalid.
func (s *Server) invalid(token []byte, hash xxh3.Uint128) bool {
	if n := len(token); n > 0 && (token[0] == ' ' || token[n-1] == ' ' || token[0] == 'b' && bytes.HasPrefix(token, []byte("bad-"))) {
		return true
	}
	if s.opt.Invalid <= 0 {
		return false
	}
	return float64(scramble(hash.Hi^s.opt.Seed)) < s.opt.Invalid*math.MaxUint64
}

// scramble spreads the bits of x, so that neighboring seeds pick different tokens.
// It is the finalizer of splitmix64: https://prng.di.unimi.it/splitmix64.c.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
