package vendortest

import (
	"slices"
	"testing"

	"github.com/postrider/postrider/pkg/classify"
)

// CodeSets returns a function that runs a subtest of the given name. The subtest
// fails unless the wanted rows are exactly those rows of the table for which in
// is true. A row is named level/code; the rows are in the table's order.
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

// Class returns the set of the rows with a class.
func Class(c classify.Class) func(classify.Row) bool {
	return func(r classify.Row) bool { return r.Class == c }
}

// Action returns the set of the rows with an action for the token.
func Action(a classify.Action) func(classify.Row) bool {
	return func(r classify.Row) bool { return r.Action == a }
}

// Remedy returns the set of the rows with a remedy.
func Remedy(m classify.Remedy) func(classify.Row) bool {
	return func(r classify.Row) bool { return r.Remedy == m }
}

// Waits returns the set of the rows with a remedy and a scope.
func Waits(m classify.Remedy, s classify.Scope) func(classify.Row) bool {
	return func(r classify.Row) bool { return r.Remedy == m && r.Scope == s }
}
