package vendortest

import (
	"fmt"
	"testing"
)

// ConstantAllocations fails the test unless a request to many tokens allocates as
// often as a request to few tokens, with a difference of at most one, and a request
// to few tokens at most most times. prepare gets tokens that are numbers in the
// given format, and returns the function whose allocations are counted: it writes
// the request and reads its answer.
//
// The test must not be parallel: other tests would add their allocations.
func ConstantAllocations(t *testing.T, few, many, most int, format string, prepare func(tokens []string) func()) {
	t.Helper()
	first := allocations(prepare(numbered(format, few)), 0)
	last := allocations(prepare(numbered(format, many)), first+1)
	if last > first+1 || first > most {
		t.Errorf("got %d allocations for %d tokens and %d for %d, want the same and at most %d", first, few, last, many, most)
	}
}

func numbered(format string, n int) []string {
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprintf(format, i)
	}
	return tokens
}

// allocations returns the smallest number of allocations of one run of f. It stops
// at the first number that is at most enough.
//
// A mean would be wrong, because a sync.Pool that f uses is not always full: the
// garbage collector empties pools, more often when requests are large, and the race
// detector deliberately drops every fourth Put. The run with the fewest allocations
// is one in which the pools were full.
func allocations(f func(), enough int) int {
	const runs = 200
	least := int(testing.AllocsPerRun(1, f))
	for i := 1; i < runs && least > enough; i++ {
		least = min(least, int(testing.AllocsPerRun(1, f)))
	}
	return least
}
