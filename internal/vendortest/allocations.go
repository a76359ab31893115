package vendortest

import (
	"fmt"
	"testing"
)

// ConstantAllocations fails the test unless a request to many tokens allocates
// as often as one to few, give or take one, and that at most most times.
// prepare sets a request up, to tokens that are numbers in the given format,
// and returns what is counted: writing the request and reading its answer.
//
// The test must not be parallel: others would add their allocations.
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

// allocations is the least number of allocations that one run of f takes, or
// the first that is no more than enough.
//
// It is no mean, because what f takes from a sync.Pool is not always there:
// the garbage collector empties pools, more often when requests are large, and
// under the race detector every fourth Put is thrown away on purpose. The least
// of many runs is the one in which the pools were full.
func allocations(f func(), enough int) int {
	const runs = 200
	least := int(testing.AllocsPerRun(1, f))
	for i := 1; i < runs && least > enough; i++ {
		least = min(least, int(testing.AllocsPerRun(1, f)))
	}
	return least
}
