package main

import (
	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/pkg/push/text"
)

// jobsSummary counts the jobs of a stream. It prints the first refused jobs and
// the totals on stderr in human-readable form; stdout has a JSON line for each.
type jobsSummary struct {
	*program
	file                    string
	jobs, refused, repeated int
}

// maxJobsShown is the number of refused jobs that are printed one by one.
const maxJobsShown = 10

// count counts one answer; it is not called with a failure of Redis.
func (s *jobsSummary) count(r intake.Answer) {
	s.jobs++
	switch {
	case r.Err == nil:
		return
	case codeOf(r.Err) == exitDuplicate:
		s.repeated++
	default:
		s.refused++
	}
	if s.refused+s.repeated <= maxJobsShown {
		text.Fprintf(s.err, "enqueue: %s: line %d: %v\n", s.file, r.Line, r.Err)
	}
}

// report prints the totals if any job was refused.
func (s *jobsSummary) report() {
	if s.refused+s.repeated > 0 {
		text.Fprintf(s.err, "enqueue: of %d jobs, %d were refused and %d were duplicates: stdout has a line for each\n", s.jobs, s.refused, s.repeated)
	}
}

// exit returns the exit code for the whole stream.
func (s *jobsSummary) exit() error {
	switch {
	case s.refused > 0:
		return &exitError{code: exitUsage}
	case s.repeated > 0:
		return &exitError{code: exitDuplicate}
	}
	return nil
}
