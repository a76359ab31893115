package dispatch

import (
	"context"
	"slices"
	"time"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
)

// endExpired ends what expired while the request waited. It returns false if
// nothing is left.
func (d *Dispatcher) endExpired(ctx context.Context, r *request) bool {
	now, claims := d.Now().UnixMilli(), r.batches.Owners()
	left, ended := r.batches.Keep(func(s *segment) bool {
		if now < s.Entry.Expires {
			return true
		}
		s.Owner.end(s, retry.Decision{Outcome: wire.Expired})
		return false
	})
	if ended {
		r.batches = left
		d.recorder.record(ctx, claims...)
	}
	return len(left) > 0
}

// prepare records what has to be in Redis before a request is made: the keys that
// were drawn for it, and that at-most-once jobs' tokens are about to be sent. It
// returns false if this run may not make the request, which is then put back.
func (d *Dispatcher) prepare(ctx context.Context, r *request) bool {
	needed := false
	for _, b := range r.batches {
		needed = b.Unrecorded || needed
		b.Unrecorded = false
	}
	segments := r.batches.Segments()
	for i := range segments {
		if s := &segments[i]; s.Entry.AtMostOnce {
			needed = s.Owner.intend(s) || needed
		}
	}
	if !needed || d.recorder.recordAll(ctx, r.batches.Owners()...) {
		return true
	}
	d.takeBack(ctx, r, d.Now().Add(time.Second), reasonTakenOver)
	return false
}

// intend marks the segment's tokens as sent. It returns false if they are marked
// already.
func (c *claim) intend(s *segment) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, marked := c.intents[s.Place(0)]; marked {
		return false
	}
	c.changeLocked()
	if c.intents == nil {
		c.intents = map[int]byte{}
	}
	for i := range s.Tokens {
		at := s.Place(i)
		c.intents[at] = c.states[at]
		c.states[at] = wire.Sent
	}
	return true
}

// withdraw removes the marks of the segment's tokens.
func (c *claim) withdraw(s *segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changeLocked()
	for i := range s.Tokens {
		c.unmarkLocked(s.Place(i))
	}
}

// unmarkLocked removes the mark of a token that has an answer, or is not sent.
func (c *claim) unmarkLocked(at int) {
	if attempts, ok := c.intents[at]; ok {
		c.states[at] = attempts
		delete(c.intents, at)
	}
}

// takeBack undoes prepare for a request that is not made after all, and puts the
// request back.
func (d *Dispatcher) takeBack(ctx context.Context, r *request, at time.Time, why string) {
	segments := r.batches.Segments()
	for i := range segments {
		segments[i].Owner.withdraw(&segments[i])
	}
	r.putBack(at, why)
	d.recorder.record(ctx, r.batches.Owners()...)
}

// staleAfter is how old the last answer of Redis about a chunk and its jobs may be
// when a request begins: nothing new is to be sent a second after somebody
// canceled a job, nor by a worker that slept while another took its chunk over.
const staleAfter = 500 * time.Millisecond

// recheck asks Redis again if the request waited long since its chunks were
// loaded. It puts the request back, and returns false, if a job of it was canceled
// or a chunk is another worker's by now. The next run ends what is canceled.
func (d *Dispatcher) recheck(ctx context.Context, r *request) bool {
	segments, now := r.batches.Segments(), d.Now()
	if !slices.ContainsFunc(segments, func(s segment) bool { return s.Owner.asked().Before(now.Add(-staleAfter)) }) {
		return true
	}
	why, err := d.Book.Recheck(ctx, loadedOf(segments))
	switch {
	case err != nil:
		d.takeBack(ctx, r, d.Now().Add(time.Second), err.Error())
		return false
	case why == ledger.TakenOver:
		d.takeBack(ctx, r, d.Now().Add(time.Second), why)
		return false
	case why != "":
		d.takeBack(ctx, r, d.Now(), why)
		return false
	}
	for _, c := range r.batches.Owners() {
		c.confirm(now)
	}
	return true
}

// loadedOf are what the segments' chunks and jobs have to be to be sent.
func loadedOf(segments []segment) []ledger.Loaded {
	var all []ledger.Loaded
	at := map[*claim]int{}
	for i := range segments {
		s := &segments[i]
		k, ok := at[s.Owner]
		if !ok {
			k = len(all)
			at[s.Owner] = k
			all = append(all, ledger.Loaded{Chunk: s.Owner.open.Ref, Gen: s.Owner.generation()})
		}
		all[k].Jobs = append(all[k].Jobs, ledger.Ref{Job: s.Entry.Job, Single: s.Entry.Single})
	}
	return all
}

// noteSent has Redis know that tokens of fresh chunks are being sent, if the
// worker is told to stop before their request has its answer: it may have ended
// when the answer comes, and the next run must not let the tokens join others
// under a key that is not theirs. The caller calls done after the request.
func (d *Dispatcher) noteSent(ctx context.Context, r *request) (done func()) {
	var fresh []*claim
	for _, b := range r.batches {
		if b.Request != "" {
			continue // that is their key, whatever becomes of this run
		}
		for i := range b.Segments {
			if c := b.Segments[i].Owner; c.generation() == 0 && !slices.Contains(fresh, c) {
				fresh = append(fresh, c)
			}
		}
	}
	if len(fresh) == 0 {
		return func() {}
	}
	noted := make(chan struct{})
	stop := context.AfterFunc(d.life, func() {
		defer close(noted)
		for _, c := range fresh {
			c.touch()
		}
		d.recorder.record(ctx, fresh...)
	})
	return func() {
		if !stop() {
			<-noted
		}
	}
}
