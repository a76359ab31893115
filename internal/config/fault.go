package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one mistake in a file. It never contains a value of the file or of the
// environment, since any value may be a secret in the wrong place.
type Fault struct {
	File string
	// Line is the line of the key, counted from 1, or of the block that lacks the
	// key. 0: no line of the file is at fault.
	Line int
	// Key is the path to it: "apps.shop.huawei.client_id"; empty for the whole file.
	Key    string
	Reason string
}

// Error formats the fault as "file:line: key: reason".
func (f Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	if f.Key != "" {
		b.WriteString(": " + f.Key)
	}
	return b.String() + ": " + f.Reason
}

// Error is every fault of a file, in the file's order.
type Error struct {
	Faults []Fault
}

// Error formats one fault a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

func newError(faults []Fault) *Error {
	slices.SortStableFunc(faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return &Error{Faults: faults}
}
