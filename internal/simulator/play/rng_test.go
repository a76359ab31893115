package play

import (
	"fmt"
	"testing"
)

func TestTheShareOfInvalidTokensFollowsFromTheSeed(t *testing.T) {
	t.Parallel()
	const n = 20000
	invalid := func(seed uint64, share float64) (which map[int]bool) {
		s := NewServer(Options{Seed: seed, Invalid: share, AnyCredentials: true})
		which = map[int]bool{}
		var b batch
		for i := range n {
			token := fmt.Appendf(nil, "token-%d", i)
			b.load([][]byte{token})
			if s.invalid(token, b.hashes[0]) {
				which[i] = true
			}
		}
		return which
	}
	one, again, other := invalid(1, 0.01), invalid(1, 0.01), invalid(2, 0.01)
	if len(one) < n/200 || len(one) > n/50 {
		t.Errorf("got %d of %d, want about 1 in 100", len(one), n)
	}
	shared := 0
	for i := range one {
		if !again[i] {
			t.Errorf("token %d is invalid only at times", i)
		}
		if other[i] {
			shared++
		}
	}
	if shared > len(one)/4 {
		t.Errorf("two seeds share %d of %d", shared, len(one))
	}
	if got := invalid(1, 1); len(got) != n {
		t.Errorf("a share of 1: got %d of %d", len(got), n)
	}
}
