package play

import (
	"net/http"
	"time"
)

// applyFault answers a call as a fault rule says. With Accept the vendor handles
// the request first and the delay comes afterwards, so the client cannot tell
// from what it sees whether the request was handled. Without Accept the delay
// comes first, so that a request whose client gives up meanwhile is not handled.
func (s *Server) applyFault(w http.ResponseWriter, c *Call, f *Fault) {
	before, after := time.Duration(f.Delay), time.Duration(0)
	if f.Accept {
		before, after = after, before
	}
	if !c.wait(before) {
		s.journal.add(c, 0, f.Name)
		s.notifyWatch(c, f.Name)
		panic(http.ErrAbortHandler)
	}
	a := f.answer(c)
	s.journal.add(c, f.journalStatus(a), f.Name)
	s.notifyWatch(c, f.Name)
	if !c.wait(after) {
		panic(http.ErrAbortHandler)
	}
	f.write(w, c, a)
}

// answer is what the client would read if the fault let all of it through.
func (f *Fault) answer(c *Call) Answer {
	var a Answer
	if f.Accept || f.answersNormally() {
		a = c.endpoint.Handle(c)
	} else if f.HalfBody {
		a = c.endpoint.Success(c)
	}
	switch {
	case f.Code != "":
		a = c.player.Envelope(c, f.Code)
	case f.Body != "" || f.Status != 0 && !f.HalfBody:
		a = Answer{ContentType: a.ContentType, Body: []byte(f.Body)}
	}
	if f.Status != 0 {
		a.Status = f.Status
	}
	if len(f.Headers) > 0 {
		a.Header = f.Headers
	}
	return a
}

// journalStatus is the status that the journal keeps, 0 for no answer.
func (f *Fault) journalStatus(a Answer) int {
	if f.Hang || f.Reset {
		return 0
	}
	return a.Status
}

func (f *Fault) write(w http.ResponseWriter, c *Call, a Answer) {
	switch {
	case f.Hang:
		c.hang()
		panic(http.ErrAbortHandler)
	case f.Reset:
		reset(w)
	case f.HalfBody:
		a.writeHalf(w)
	default:
		a.write(w)
	}
}
