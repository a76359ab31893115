package push

import (
	"errors"
	"strings"
)

// Fault is one thing wrong with a job or a setting: the field's path as the
// user wrote it ("message.title") and what would be right. It never holds a
// token or a secret.
type Fault struct {
	Field  string
	Reason string
}

// Error formats the fault as "field: reason".
func (f Fault) Error() string {
	if f.Field == "" {
		return f.Reason
	}
	return f.Field + ": " + f.Reason
}

// InvalidError reports everything wrong with a job at once. Nothing of the job
// was stored.
type InvalidError struct {
	Job    string // the job's id, if it had one
	Faults []Fault
}

// Error joins the faults with "; ".
func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		parts[i] = f.Error()
	}
	return strings.Join(parts, "; ")
}

// ErrDuplicate is wrapped by the error for a job whose id is already known.
var ErrDuplicate = errors.New("duplicate job id")

// ErrConflict is wrapped by the error for a half-enqueued job that is sent
// again with another message or other targets.
var ErrConflict = errors.New("job differs from its half-enqueued first part")
