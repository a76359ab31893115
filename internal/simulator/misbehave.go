package simulator

import (
	"net/http"
	"time"
)

// misbehave acts a fault out. With Accept the vendor handles the request first
// and the client waits afterwards: what it then sees says nothing of what
// happened. Without it the delay comes first, so that a client that gives up
// meanwhile has sent nothing.
func (s *Simulator) misbehave(w http.ResponseWriter, c *call, f *Fault) {
	before, after := time.Duration(f.Delay), time.Duration(0)
	if f.Accept {
		before, after = after, before
	}
	if !c.wait(before) {
		s.journal.add(c, 0, f.Name)
		s.tell(c, f.Name)
		panic(http.ErrAbortHandler)
	}
	a := f.answer(c)
	s.journal.add(c, f.shown(a), f.Name)
	s.tell(c, f.Name)
	if !c.wait(after) {
		panic(http.ErrAbortHandler)
	}
	f.deliver(w, c, a)
}

// answer is what the client would read if the fault let it through.
func (f *Fault) answer(c *call) answer {
	var a answer
	if f.Accept || f.regular() {
		a = c.e.handle(c)
	} else if f.HalfBody {
		a = c.e.success(c)
	}
	switch {
	case f.Code != "":
		a = c.p.envelope(c, f.Code)
	case f.Body != "" || f.Status != 0 && !f.HalfBody:
		a = answer{contentType: a.contentType, body: []byte(f.Body)}
	}
	if f.Status != 0 {
		a.status = f.Status
	}
	if len(f.Headers) > 0 {
		a.header = f.Headers
	}
	return a
}

// shown is the status that the journal has for a faulty answer, 0 for none.
func (f *Fault) shown(a answer) int {
	if f.Hang || f.Reset {
		return 0
	}
	return a.status
}

func (f *Fault) deliver(w http.ResponseWriter, c *call, a answer) {
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
