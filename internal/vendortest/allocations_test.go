package vendortest

import (
	"sync"
	"testing"
)

var sink [][]byte

// The pool works like that of encoding/json: ten values are taken and put back, and
// the race detector drops some of them in nearly every run.
func TestValuesLostFromAPoolDoNotCount(t *testing.T) {
	pool := sync.Pool{New: func() any { return new([64]byte) }}
	got := allocations(func() {
		sink = append(sink[:0], make([]byte, 8), make([]byte, 8))
		for range 10 {
			pool.Put(pool.Get())
		}
	}, 0)
	if got != 2 {
		t.Errorf("got %d allocations, want the 2 that every run needs", got)
	}
}

func TestAllocationsPerTokenAreCounted(t *testing.T) {
	got := allocations(func() {
		sink = sink[:0]
		for range 100 {
			sink = append(sink, make([]byte, 8))
		}
	}, 0)
	if got != 100 {
		t.Errorf("got %d allocations for 100 tokens, want 100", got)
	}
}
