package main

import (
	"github.com/postrider/postrider/internal/intake"
	"github.com/postrider/postrider/pkg/push/text"
)

// manySum counts the jobs of a stream and tells on stderr, for people, what
// stdout has as JSON: the first jobs that were refused, and how many.
type manySum struct {
	*app
	file                    string
	jobs, refused, repeated int
}

// manyShown is how many refused jobs are told of one by one.
const manyShown = 10

// count takes one answer, which is no failure.
func (s *manySum) count(r intake.Answer) {
	s.jobs++
	switch {
	case r.Err == nil:
		return
	case codeOf(r.Err) == exitDuplicate:
		s.repeated++
	default:
		s.refused++
	}
	if s.refused+s.repeated <= manyShown {
		text.Fprintf(s.err, "enqueue: %s: line %d: %v\n", s.file, r.Line, r.Err)
	}
}

// tell sums up, if anything was refused.
func (s *manySum) tell() {
	if s.refused+s.repeated > 0 {
		text.Fprintf(s.err, "enqueue: of %d jobs %d were refused and %d were duplicates: stdout has a line for each\n", s.jobs, s.refused, s.repeated)
	}
}

// exit is the code that the stream's answers make.
func (s *manySum) exit() error {
	switch {
	case s.refused > 0:
		return &exitError{code: exitUsage}
	case s.repeated > 0:
		return &exitError{code: exitDuplicate}
	}
	return nil
}
