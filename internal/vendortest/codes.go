package vendortest

import (
	"slices"
	"testing"

	"github.com/postrider/postrider/pkg/classify"
)

// CodeSets returns a function that fails the test, in a subtest of the given
// name, unless the wanted rows of a table are those in a set, no more and no
// fewer. A row is named level/code; rows stand in the table's order.
func CodeSets(t *testing.T, table *classify.Table) func(name string, in func(classify.Row) bool, want ...string) {
	return func(name string, in func(classify.Row) bool, want ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, r := range table.Explain("") {
				if in(r) {
					got = append(got, string(r.Level)+"/"+r.Code)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// Class is the set of the rows with a class.
func Class(c classify.Class) func(classify.Row) bool {
	return func(r classify.Row) bool { return r.Class == c }
}

// Action is the set of the rows with an action for the token.
func Action(a classify.Action) func(classify.Row) bool {
	return func(r classify.Row) bool { return r.Action == a }
}

// Remedy is the set of the rows with a remedy.
func Remedy(m classify.Remedy) func(classify.Row) bool {
	return func(r classify.Row) bool { return r.Remedy == m }
}

// Waits is the set of the rows with a remedy whose wait concerns the scope.
func Waits(m classify.Remedy, s classify.Scope) func(classify.Row) bool {
	return func(r classify.Row) bool { return r.Remedy == m && r.Scope == s }
}
