package dispatch

import (
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
)

// apply decides for every token of the request.
func (d *Dispatcher) apply(r *request, ans *answer) {
	now, first, tokens := d.Now(), 0, r.batches.Count()
	segments := r.batches.Segments()
	for i := range segments {
		s := &segments[i]
		state := retry.State{
			Tokens: tokens, AtMostOnce: s.Entry.AtMostOnce, Now: now, Expires: time.UnixMilli(s.Entry.Expires), Jitter: jitter(),
		}
		for _, again := range s.Owner.apply(d.Policy, s, state, ans, first) {
			d.Meter.Again(r.App, r.Spec.Name, again.remedy, again.tokens)
		}
		first += len(s.Tokens)
	}
}

// situation is what makes a difference to the decision on a token of a segment.
type situation struct {
	got            *lookedUp
	attempt, tries int
}

// apply decides for the segment's tokens, of which the first is the request's
// token first. It returns how many are sent again.
func (c *claim) apply(p retry.Policy, s *segment, state retry.State, ans *answer, first int) (again counts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	job := c.jobLocked(s.Index)
	var is situation
	var decided retry.Decision
	same, delivered := 0, 0 // tokens in the situation that are not counted yet; of all situations
	for i, text := range s.Tokens {
		at := s.Place(i)
		c.unmarkLocked(at)
		if now := c.situationLocked(ans.of(first+i), at); now != is {
			is.count(job.Codes, same)
			is, same = now, 0
			decided = is.decide(p, state)
		}
		same++
		switch {
		case decided.Verdict == retry.End && decided.Outcome == wire.Delivered:
			c.resolveLocked(at)
			delivered++
		case decided.Verdict == retry.End:
			c.endLocked(token{s.Index, at, text}, decided, is.got, is.got.text)
		default:
			again.add(decided.Remedy)
			c.sendAgainLocked(at, is, decided, state)
		}
	}
	is.count(job.Codes, same)
	if delivered > 0 {
		job.Outcomes[wire.Delivered] += delivered
		c.changes.step.Answered += delivered
	}
	return again
}

// situationLocked is that of the token at a place, which got an answer.
func (c *claim) situationLocked(got *lookedUp, at int) situation {
	is := situation{got: got, attempt: min(int(c.states[at])+1, wire.MaxAttempts)}
	if got.counted {
		is.tries = c.triesLocked(got, at)
	}
	return is
}

// decide decides for all tokens in the situation.
func (is situation) decide(p retry.Policy, state retry.State) retry.Decision {
	state.Attempt, state.Tries = is.attempt, is.tries
	state.QuotaReset, state.ParkedUntil = is.got.Row.Window.Next(state.Now), is.got.parkedUntil
	return retry.Decide(p, is.got.Result, state)
}

// count counts the code of tokens in the situation.
func (is situation) count(codes map[string]int, tokens int) {
	if tokens > 0 {
		codes[is.got.key] += tokens
	}
}

// sendAgainLocked notes that a token is to be sent again.
func (c *claim) sendAgainLocked(at int, is situation, d retry.Decision, state retry.State) {
	if is.tries > 0 {
		c.addTryLocked(is.got, at)
	}
	if d.Counted {
		c.states[at] = byte(is.attempt)
	}
	reason := is.got.key + ": " + is.got.reason()
	switch d.Verdict {
	case retry.Halve:
		c.cap = max(1, state.Tokens/2)
		c.putBackLocked(state.Now, reason, d.Counted)
	case retry.Wait:
		c.askGateAtLocked(d.At, reason)
	case retry.Again, retry.End:
		c.putBackLocked(d.At, reason, d.Counted)
	}
}

// triesLocked is how many requests of a token have ended with a row, the present
// one included. It changes nothing: see addTryLocked.
func (c *claim) triesLocked(l *lookedUp, at int) int {
	return c.tail.Tries[l.tailKey()][at] + 1
}

// addTryLocked counts a request of a token that ended with a row, and that is to
// be made again. A chunk of version 1 has no room for it.
func (c *claim) addTryLocked(l *lookedUp, at int) {
	if c.open.Chunk.Version < wire.ChunkVersion {
		return
	}
	if c.tail.Tries == nil {
		c.tail.Tries = map[string]map[int]int{}
	}
	key := l.tailKey()
	if c.tail.Tries[key] == nil {
		c.tail.Tries[key] = map[int]int{}
	}
	c.tail.Tries[key][at]++
}

// tailKey is the row's name in a chunk's tail: level and code.
func (l *lookedUp) tailKey() string {
	_, name, _ := strings.Cut(l.key, "/")
	return name
}

// counts are tokens by the remedy of their answer.
type counts []struct {
	remedy classify.Remedy
	tokens int
}

func (cs *counts) add(m classify.Remedy) {
	for i := range *cs {
		if (*cs)[i].remedy == m {
			(*cs)[i].tokens++
			return
		}
	}
	*cs = append(*cs, struct {
		remedy classify.Remedy
		tokens int
	}{m, 1})
}
