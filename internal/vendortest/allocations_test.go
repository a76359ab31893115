package vendortest

import (
	"sync"
	"testing"
)

var sink [][]byte

// The pool is the one of encoding/json in small: ten things taken and put back,
// of which the race detector throws some away in nearly every run.
func TestAPoolThatLosesThingsDoesNotCount(t *testing.T) {
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

func TestAnAllocationAToken(t *testing.T) {
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
