package dispatch

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
)

// recordFor bounds how long a step is tried to be recorded while Redis is away.
// Until then the answer is kept. After it the tokens count as never asked.
const recordFor = 5 * time.Minute

// recorder records what became of claims' tokens in the Book. The changes of a
// claim are in one of these states:
//
//	            a token changes            begin                 the Book took the step
//	recorded ────────────────────► changed ───► being recorded ──────────────────────────► recorded
//	                                  ▲            │   │   ▲  │
//	                                  └────────────┘   │   └──┘ Redis is away: the same step again
//	      tokens changed meanwhile: the next step      │
//	                                                   └─► lost, for good: another run recorded a
//	                                                       step before, or Redis was away too long
//
// A claim has one step at a time. Steps of several claims are recorded together,
// in one round trip. A lost claim records nothing more: the task is worked again.
type recorder struct {
	book  Book
	meter Meter
	log   zerolog.Logger
	// away: a record failed, and none has succeeded since. It is logged once.
	away atomic.Bool
}

// changes are a claim's changes. The claim's lock guards them.
type changes struct {
	gen    uint32        // of the last step that was recorded
	listed int           // tokens left, as the index of open work has it
	step   *ledger.Step  // collects what is not recorded yet; nil: nothing
	jobs   map[int]int   // entries to indices of step.Jobs
	busy   chan struct{} // closed when the step that is being recorded is; nil: none is
	lost   bool
}

// done reports whether there is nothing to record and nothing being recorded.
func (c changes) done() bool { return c.step == nil && c.busy == nil }

// changeLocked returns the step that collects the claim's changes.
func (c *claim) changeLocked() *ledger.Step {
	if c.changes.step == nil {
		c.changes.step = &ledger.Step{
			Ref: c.open.Ref, Offset: c.open.Chunk.StatesOffset(), App: c.header.App, Vendor: c.vendor,
		}
		c.changes.jobs = map[int]int{}
	}
	return c.changes.step
}

// jobLocked returns the part of the step that an entry's job has.
func (c *claim) jobLocked(entry int) *ledger.JobStep {
	s := c.changeLocked()
	i, ok := c.changes.jobs[entry]
	if !ok {
		i = len(s.Jobs)
		c.changes.jobs[entry] = i
		e := &c.open.Chunk.Entries[entry]
		s.Jobs = append(s.Jobs, ledger.JobStep{
			Job: e.Job, Single: e.Single, Outcomes: map[wire.Outcome]int{}, Codes: map[string]int{},
		})
	}
	return &s.Jobs[i]
}

// touch has a step recorded although no token changed, so that Redis knows that
// the chunk is no longer fresh.
func (c *claim) touch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changeLocked()
}

// unrecorded is a copy of the claim's changes, to see which state they are in.
func (c *claim) unrecorded() changes {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changes
}

// generation is that of the last step that was recorded.
func (c *claim) generation() uint32 { return c.unrecorded().gen }

// begin takes the step that is to be recorded. It returns nil if there is none,
// or if another goroutine is recording for this claim and will come back for it.
func (c *claim) begin() *ledger.Step {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := &c.changes
	if ch.step == nil || ch.busy != nil || ch.lost {
		return nil
	}
	s := ch.step
	s.Follow(ch.gen)
	s.Cap, s.States, s.Done = c.cap, c.journalLocked(), c.left == 0
	s.Lane, s.Open, s.Expires = wire.Lane(c.vendor, string(c.priority)), c.member(ch.listed), c.header.Expires
	if c.left > 0 && c.left != ch.listed {
		s.OpenNext = c.member(c.left)
	}
	ch.listed = c.left
	ch.step, ch.jobs, ch.busy = nil, nil, make(chan struct{})
	return s
}

// journalLocked is what a step writes of the chunk's tokens: the states, and
// after them the tail. A chunk of version 1 has no tail.
func (c *claim) journalLocked() []byte {
	states := slices.Clone(c.states)
	if c.open.Chunk.Version < wire.ChunkVersion {
		return states
	}
	b := c.tail.Append(states)
	c.tail.Stored = c.tail.Stored || len(b) > len(c.states)
	return b
}

// finish notes whether the step that begin returned was recorded.
func (c *claim) finish(s *ledger.Step, recorded bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changes.busy)
	c.changes.busy = nil
	c.changes.gen = s.Next
	c.changes.lost = !recorded
}

// record records the claims' changes. What was answered is kept until it is
// recorded, even if the task itself has run out of time: the generation tells
// Redis whether it still counts. It does not wait for what another goroutine is
// recording.
func (r *recorder) record(ctx context.Context, claims ...*claim) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordFor)
	defer cancel()
	for {
		var steps []*ledger.Step
		var of []*claim
		for _, c := range claims {
			if s := c.begin(); s != nil {
				steps, of = append(steps, s), append(of, c)
			}
		}
		if len(steps) == 0 {
			return
		}
		ok := r.settle(ctx, steps)
		for i, c := range of {
			// A step that ended its chunk cannot be recognised when it is sent again:
			// if nobody else has run the task, it was ours, and its reply was lost.
			recorded := ok[i] || steps[i].Ended && c.stillOurs(ctx)
			c.finish(steps[i], recorded)
			if recorded {
				r.count(c, steps[i])
			}
		}
	}
}

// recordAll is record, and waits until all changes of the claims are recorded. It
// returns false if any of the claims is lost.
func (r *recorder) recordAll(ctx context.Context, claims ...*claim) bool {
	r.record(ctx, claims...) // together
	ok := true
	for _, c := range claims {
		ok = r.await(ctx, c) && ok
	}
	return ok
}

// await waits until all changes of a claim are recorded; false: it is lost.
func (r *recorder) await(ctx context.Context, c *claim) (ok bool) {
	for {
		switch ch := c.unrecorded(); {
		case ch.lost:
			return false
		case ch.busy != nil:
			<-ch.busy
		case ch.step == nil:
			return true
		}
		r.record(ctx, c)
	}
}

// settle tries until Redis has taken the steps or time is up. A step that Redis
// took although its reply was lost is recognised when it is sent again, or is
// Ended.
func (r *recorder) settle(ctx context.Context, steps []*ledger.Step) []bool {
	b := backoff.NewExponentialBackOff(backoff.WithInitialInterval(50*time.Millisecond), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	for {
		ok, err := r.book.Settle(ctx, steps)
		if err == nil {
			if r.away.CompareAndSwap(true, false) {
				r.log.Info().Msg("results are recorded again")
			}
			return ok
		}
		if r.away.CompareAndSwap(false, true) {
			r.log.Error().Err(err).Msg("results cannot be recorded: waiting for redis")
		}
		if coord.Sleep(ctx, b.NextBackOff()); ctx.Err() != nil {
			return make([]bool, len(steps))
		}
	}
}

// count counts what was recorded.
func (r *recorder) count(c *claim, s *ledger.Step) {
	sum, skipped := map[wire.Outcome]int{}, 0
	for _, j := range s.Jobs {
		for o, n := range j.Outcomes {
			sum[o] += n
		}
		skipped += j.Codes[c.vendor+skippedCode]
	}
	for o, n := range sum {
		r.meter.Outcome(c.header.App, c.vendor, o, n)
	}
	if skipped > 0 {
		r.meter.Skipped(c.header.App, c.vendor, skipped)
	}
	if len(s.Invalid) > 0 {
		r.meter.Invalid(c.header.App, c.vendor, len(s.Invalid), s.Standing != ledger.Fed)
	}
	if s.Standing == ledger.Alarm {
		r.log.Error().Str("app", c.header.App).Str("vendor", c.vendor).Msg(ledger.AlarmText)
	}
}
