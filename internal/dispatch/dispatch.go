// Package dispatch takes one task of a lane to its end: load the chunk, leave
// out what is expired, canceled or known dead, let small parcels share a request,
// wait for a permit, make the vendor's request, look the answer up, decide, and
// record. What a task that asynq gave up leaves, it ends. It does not know any
// vendor's protocol, how Redis keeps the books, or what asynq does.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/accesstoken"
	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/dispatch/slots"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/internal/upload"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
	"github.com/postrider/postrider/pkg/vendors"
)

// Book keeps chunks and ledgers.
type Book interface {
	Load(ctx context.Context, h wire.Header) (*ledger.Open, error)
	Settle(ctx context.Context, steps []*ledger.Step) ([]bool, error)
	// Held answers "" if the holds are still good, else why not.
	Held(ctx context.Context, holds []ledger.Hold) (why string, err error)
	// Fence takes a chunk from every run that loaded it, if it is still the caller's to take.
	Fence(ctx context.Context, chunk string, ours func(context.Context) (bool, error)) error
	// Lose ends what is left of a chunk that nobody can read any more.
	Lose(ctx context.Context, lane string, o wire.Open, reason wire.DeadReason) (tokens int, err error)
	// Canceled tells whether a job was canceled.
	Canceled(ctx context.Context, job string) (bool, error)
	// List lists open work that an older producer did not list.
	List(ctx context.Context, l ledger.Listing) error
	// Left tells which chunks are still there.
	Left(ctx context.Context, chunks []string) ([]bool, error)
}

// Saved keeps the vendors' names for messages that were laid up there.
type Saved interface {
	ID(ctx context.Context, m upload.Message, save func(context.Context) (vendors.Uploaded, error)) (string, error)
	Forget(ctx context.Context, m upload.Message, id string) error
}

// Tracer notes whose messages are about to be sent, for receipts that come later.
type Tracer interface {
	Note(ctx context.Context, sent []Sent) error
}

// Gate says when a request may be made.
type Gate interface {
	// Admit lets a request through, or says how long to wait and why.
	Admit(ctx context.Context, a *account.Account, l Demand) (Admission, error)
	// Place gives a request that would wait long for the rate limit a time of its
	// own, and answers how long it is until then.
	Place(ctx context.Context, a *account.Account, w Waiting) (time.Duration, error)
	// Parked tells which of the jobs are parked, and until when. A time that is over
	// means that a request for that job alone may be tried. It is asked often, and
	// asks for the jobs only if any is parked.
	Parked(ctx context.Context, a *account.Account, jobs func() []string) (map[string]time.Time, error)
	// Try tells which jobs of a request that it let through are not to be in it, and
	// until when. If others of them were parked, the ticket becomes their probe.
	Try(ctx context.Context, a *account.Account, t *Admission, jobs func() []string) (map[string]time.Time, error)
	// Answered tells the gate what the vendor said to a request that it let through.
	// If that parks the request's jobs, it answers until when.
	Answered(ctx context.Context, a *account.Account, t Admission, s Finding) (until time.Time)
	// Done tells it that a request with a probe is over, made or not.
	Done(ctx context.Context, a *account.Account, t Admission)
}

// Said is what the vendor answered to a request, or of some of its tokens.
type Finding struct {
	Row        classify.Row
	RetryAfter time.Duration
	// Grant: it answers the request for an access token, or refuses every token.
	Grant bool
	// Jobs are those whose tokens got it; set for configuration errors only.
	Jobs []Job
}

// Load is what a request asks the Gate for.
type Demand struct {
	Priority push.Priority
	Units    int      // of the account's rate
	Buckets  []string // the quotas that count it
}

// Waiting is a request that would wait long for units of its account's rate.
type Waiting struct {
	Priority push.Priority
	Units    int
	Ahead    int  // units that others of this worker wait for, and get before it
	Late     bool // it had a time, which has come, and there was no room
}

// Ticket is the Gate's answer to a Load.
type Admission struct {
	Wait    time.Duration // until the Gate is to be asked again; 0: the request may be made
	Why     string        // for people, with Wait
	Paused  bool          // the Wait is for the end of a pause of the app's
	Limited bool          // the Wait is for the rate limit
	Buckets []string      // the Load's
	// Probe is set where this request alone is to show whether the vendor is
	// well again; all others wait for its answer.
	Probe string
	// JobProbe is the same for jobs that are parked, Tried the jobs of the request.
	JobProbe string
	Tried    []string
}

// Gone knows which tokens are dead.
type Gone interface {
	// Dead tells of each token of the entries, in order, whether it was found
	// dead after its job's start; nil: none was.
	Dead(ctx context.Context, app, vendor string, entries []wire.Entry) ([]bool, error)
}

// Meter counts.
type Meter interface {
	Request(a *account.Account, row classify.Row, tokens int, took time.Duration)
	Outcome(app, vendor string, o wire.Outcome, tokens int)
	Again(app, vendor string, row classify.Row, tokens int)
	// Invalid counts n entries that the feed got, or that are held.
	Invalid(app, vendor string, n int, held bool)
	// Suppressed counts tokens that were known dead, and not sent.
	Skipped(app, vendor string, tokens int)
	// Recovered counts tasks that were lost and found.
	Recovered(reason string, n int)
}

// Config holds what a Dispatcher needs.
type Config struct {
	Book   Book
	Access accesstoken.Source
	Saved  Saved
	Gate   Gate
	Meter  Meter
	// Tracer is asked for accounts that take receipts; nil: for none.
	Tracer Tracer
	// Gone is asked before anything is sent; nil: no token is known dead.
	Gone Gone
	// Account finds an app's settings at a vendor; they may change at any time.
	Account func(app, vendor string) (*account.Account, bool)
	Policy  retry.Policy
	// Linger is how long small tasks wait for others with the same message; 0: not at all.
	Linger time.Duration
	// Requests is how many requests are in flight at one vendor.
	Requests int
	Log      zerolog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Dispatcher works tasks. It is safe for concurrent use.
type Dispatcher struct {
	Config
	joiner joiner
	slots  *slots.Slots
	lines  lines
	// draining is closed when waiting tasks are to leave: life has ended.
	draining <-chan struct{}
	life     context.Context //nolint:containedctx // the Dispatcher's own, that Drain ends
	drain    context.CancelFunc
	// away: a record failed, and none has succeeded since; it is told once.
	away atomic.Bool
}

// New returns a Dispatcher.
func New(c Config) *Dispatcher {
	if c.Now == nil {
		c.Now = time.Now
	}
	d := &Dispatcher{Config: c}
	d.life, d.drain = context.WithCancel(context.Background())
	d.draining = d.life.Done()
	d.joiner.open = map[joinKey]*batch{}
	d.slots = slots.New(c.Requests, d.draining)
	d.lines.most = d.slots.Limit()
	return d
}

// Drain makes every task that waits go back; those that send go on.
func (d *Dispatcher) Drain() { d.drain() }

// unknownApp is how long a task waits for an app or version that this worker lacks.
const unknownApp = 30 * time.Second

// Handle works one task. It is a queue.Handler.
func (d *Dispatcher) Handle(ctx context.Context, lane string, t queue.Task) error {
	h, err := wire.DecodeHeader(t.Payload)
	if err != nil {
		return d.unreadable(lane, t, &ledger.CorruptError{Chunk: t.ID, Err: err})
	}
	if err := d.putOff(ctx, h, lane, t); err != nil {
		return err
	}
	return d.work(ctx, h, lane, t)
}

// work takes one chunk as far as it goes now.
func (d *Dispatcher) work(ctx context.Context, h wire.Header, lane string, t queue.Task) error {
	loaded := d.Now()
	open, err := d.Book.Load(ctx, h)
	if err != nil {
		return d.unreadable(lane, t, err)
	}
	if open == nil {
		// An earlier run finished it, or the chunk was lost and is still listed.
		return d.lose(ctx, lane, wire.OpenOf(t.ID, h), wire.DeadLostTask)
	}
	vendor, priority := wire.SplitLane(lane)
	c := newClaim(t.ID, h, open, vendor, push.Priority(priority))
	c.loaded, c.ours, c.place, c.promise = loaded, t.Ours, queue.PlaceOf(ctx), promiseOf(t)
	if err := d.list(ctx, lane, c); err != nil {
		return err
	}
	d.sweep(c)
	if err := d.suppress(ctx, c); err != nil {
		return err
	}
	a, ok := d.Account(h.App, vendor)
	var parcels []*parcel
	if c.left > 0 && ok {
		parcels = d.parcels(ctx, a, c)
	}
	d.settle(ctx, c)
	switch {
	case c.left > 0 && !ok:
		at := d.Now().Add(unknownApp)
		return &queue.AgainError{At: at, Reason: fmt.Sprintf("this worker has no settings for app %s at %s", h.App, vendor)}
	case c.left > 0 && !c.lost:
		d.deliver(ctx, a, c, parcels)
	}
	return c.verdict(d.Now())
}

// parcels are those of the claim. Where it has several, or something of it is
// recorded anyway, the keys that some of them need are recorded with that.
func (d *Dispatcher) parcels(ctx context.Context, a *account.Account, c *claim) []*parcel {
	d.lookParked(ctx, a, c)
	all, err := c.parcels(a, d.Now())
	if err != nil {
		d.Log.Error().Err(err).Str("chunk", c.open.Ref).Msg("unreadable message")
		c.again(d.Now().Add(unknownApp), err.Error())
		return nil
	}
	if len(all) > 1 || c.step != nil {
		for _, p := range all {
			p.identify()
			p.unrecorded = false // it is, before any of them is sent
		}
	}
	return all
}

// unreadable puts back what a newer version wrote or Redis could not give, and
// archives what nobody can read.
func (d *Dispatcher) unreadable(lane string, t queue.Task, err error) error {
	var corrupt *ledger.CorruptError
	switch {
	case errors.Is(err, wire.ErrNewer):
		return &queue.AgainError{At: d.Now().Add(unknownApp), Reason: err.Error()}
	case errors.As(err, &corrupt):
		d.Log.Error().Err(err).Str("lane", lane).Str("task", t.ID).Msg("unreadable task archived")
		return &queue.DeadError{Reason: err.Error()}
	}
	return err
}

// sweep ends the tokens that are not to be sent: of canceled and expired jobs,
// and of at-most-once jobs whose earlier request has no known outcome.
func (d *Dispatcher) sweep(c *claim) {
	now := d.Now()
	first := 0
	for i, e := range c.open.Chunk.Entries {
		states := c.states[first : first+len(e.Tokens)]
		o := wire.Pending
		switch {
		case c.open.Canceled[i]:
			o = wire.Canceled
		case now.UnixMilli() >= e.Expires:
			o = wire.Expired
		}
		for j, s := range states {
			switch {
			case s == wire.Resolved:
			case c.open.Settled[i]:
				c.forget(first + j)
			case s == wire.Sent:
				c.end(i, first+j, e.Tokens[j], retry.Decision{Outcome: wire.Dead, Reason: wire.DeadUnknownOutcome}, nil)
			case o != wire.Pending:
				c.end(i, first+j, e.Tokens[j], retry.Decision{Outcome: o}, nil)
			}
		}
		first += len(e.Tokens)
	}
}

// deliver sends the chunk's parcels, as many requests at once as there are
// slots, and returns when each has an answer or has to wait.
func (d *Dispatcher) deliver(ctx context.Context, a *account.Account, c *claim, parcels []*parcel) {
	if len(parcels) == 0 {
		return
	}
	if len(parcels) == 1 {
		d.forward(ctx, a, parcels[0])
		return
	}
	leave, ok := d.goWide(ctx, a, c)
	if !ok {
		return
	}
	defer leave()
	var wg sync.WaitGroup
	sending := make(chan struct{}, d.slots.Limit())
	for _, s := range bundled(a, parcels, c.cap) {
		if !take(ctx, d.draining, sending) {
			c.again(d.Now(), stopping)
			break
		}
		wg.Go(func() {
			defer func() { <-sending }()
			d.sendInSlot(ctx, a, s, true)
		})
	}
	wg.Wait()
}

// stopping is the reason of tasks that go back because the worker ends.
const stopping = "the worker is stopping"

// forward sends a parcel, together with others where it is small.
func (d *Dispatcher) forward(ctx context.Context, a *account.Account, p *parcel) {
	c := p.spans[0].c
	if d.Linger > 0 && p.priority != push.High && p.n <= a.BatchFor(p.message)/2 && c.cap == 0 && !p.alone {
		d.join(ctx, a, p)
		return
	}
	d.sendInSlot(ctx, a, shipment{p}, false)
}

// sendInSlot sends a shipment, which has a slot unless it waits for a permit.
// wide: it is one of many of its chunk.
func (d *Dispatcher) sendInSlot(ctx context.Context, a *account.Account, s shipment, wide bool) {
	slot := d.slots.Slot(slotFor(a, s.priority()))
	defer slot.Leave()
	if !slot.Take(ctx) {
		s.again(d.Now(), stopping)
		return
	}
	d.send(ctx, a, s, &wait{slot: slot, wide: wide})
}

// slotFor says whose request needs a slot.
func slotFor(a *account.Account, p push.Priority) slots.Request {
	return slots.Request{Vendor: a.Spec.Name, App: a.App, Priority: p, Shared: a.Shared}
}

// take waits for room in c; false means that the task is to go back.
func take(ctx context.Context, draining <-chan struct{}, c chan<- struct{}) bool {
	select {
	case <-draining:
		return false
	default:
	}
	select {
	case c <- struct{}{}:
		return true
	case <-draining:
		return false
	case <-ctx.Done():
		return false
	}
}

// jitter spreads what would otherwise come back at once.
func jitter() float64 { return rand.Float64() } //nolint:gosec // no secret hangs on it
