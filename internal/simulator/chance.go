package simulator

import (
	"bytes"
	"math"
	"math/rand/v2"
	"sync"

	"github.com/zeebo/xxh3"
)

// chance is a seeded source of random numbers that many requests share.
type chance struct {
	mu  sync.Mutex
	rnd *rand.Rand
}

func newChance(seed uint64) *chance {
	return &chance{rnd: rand.New(rand.NewPCG(seed, seed))} //nolint:gosec // repeatable chances are the point; nothing here guards anything
}

// float returns a number in [0,1).
func (c *chance) float() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rnd.Float64()
}

// invalid tells whether a push token is invalid here: by its prefix, by blanks
// around it, or by the share that Options.Invalid asks for.
func (s *Simulator) invalid(token []byte, hash xxh3.Uint128) bool {
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
