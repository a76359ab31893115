package dispatch

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
)

// settleFor bounds how long a step is tried to be recorded while Redis is away.
// Until then the answer is kept; after it the tokens count as never asked.
const settleFor = 5 * time.Minute

// begin takes what is to be recorded; nil if there is nothing, or if another
// goroutine is recording for this claim and will come back for it.
func (c *claim) begin() *ledger.Step {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.step == nil || c.busy != nil || c.lost {
		return nil
	}
	s := c.step
	s.Follow(c.gen)
	s.Cap, s.States, s.Done = c.cap, c.journal(), c.left == 0
	s.Lane, s.Open, s.Expires = wire.Lane(c.vendor, string(c.priority)), c.member(c.listed), c.header.Expires
	if c.left > 0 && c.left != c.listed {
		s.OpenNext = c.member(c.left)
	}
	c.listed = c.left
	c.step, c.jobs, c.busy = nil, nil, make(chan struct{})
	return s
}

// finish notes whether the step was recorded.
func (c *claim) finish(s *ledger.Step, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.busy)
	c.busy = nil
	c.gen = s.Next
	c.lost = !ok
}

// settle records what the claims have to record. What was answered is kept
// until it is recorded, even when the task itself has run out of time: the
// generation tells Redis whether it still counts.
func (d *Dispatcher) settle(ctx context.Context, claims ...*claim) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleFor)
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
		ok := d.record(ctx, steps)
		for i, c := range of {
			recorded := ok[i] || steps[i].Ended && d.stillOurs(ctx, c)
			c.finish(steps[i], recorded)
			if recorded {
				d.count(c, steps[i])
			}
		}
	}
}

// settled records what the claim has to record and waits for what another
// goroutine records of it; false means that another run was first.
func (d *Dispatcher) settled(ctx context.Context, c *claim) bool {
	for {
		d.settle(ctx, c)
		c.mu.Lock()
		busy, rest, lost := c.busy, c.step != nil, c.lost
		c.mu.Unlock()
		switch {
		case lost:
			return false
		case busy != nil:
			<-busy
		case !rest:
			return true
		}
	}
}

// stillOurs tells whether nobody else has run the claim's task since this run
// began. Then it was our step that ended the chunk, and its reply was lost.
func (d *Dispatcher) stillOurs(ctx context.Context, c *claim) bool {
	if c.ours == nil {
		return false
	}
	ok, err := c.ours(ctx)
	return ok && err == nil
}

// record tries until Redis has taken the steps or time is up. A step that
// Redis took without our hearing of it is known when it is sent again; of one
// that ended its chunk only that is known: see Step.Ended.
func (d *Dispatcher) record(ctx context.Context, steps []*ledger.Step) []bool {
	b := backoff.NewExponentialBackOff(backoff.WithInitialInterval(50*time.Millisecond), backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	for {
		ok, err := d.Book.Settle(ctx, steps)
		if err == nil {
			if d.away.CompareAndSwap(true, false) {
				d.Log.Info().Msg("results are recorded again")
			}
			return ok
		}
		if d.away.CompareAndSwap(false, true) {
			d.Log.Error().Err(err).Msg("results cannot be recorded: waiting for redis")
		}
		t := time.NewTimer(b.NextBackOff())
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return make([]bool, len(steps))
		}
	}
}

// count tells the meter what was recorded.
func (d *Dispatcher) count(c *claim, s *ledger.Step) {
	sum, gone := map[wire.Outcome]int{}, 0
	for _, j := range s.Jobs {
		for o, n := range j.Outcomes {
			sum[o] += n
		}
		gone += j.Codes[c.vendor+suppressed]
	}
	for o, n := range sum {
		d.Meter.Outcome(c.header.App, c.vendor, o, n)
	}
	if gone > 0 {
		d.Meter.Skipped(c.header.App, c.vendor, gone)
	}
	if len(s.Invalid) > 0 {
		d.Meter.Invalid(c.header.App, c.vendor, len(s.Invalid), s.Standing != ledger.Fed)
	}
	if s.Standing == ledger.Alarm {
		d.Log.Error().Str("app", c.header.App).Str("vendor", c.vendor).Msg(ledger.AlarmText)
	}
}
