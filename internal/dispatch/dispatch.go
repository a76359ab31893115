package dispatch

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/accesstoken"
	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/dispatch/group"
	"github.com/postrider/postrider/internal/dispatch/slots"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/retry"
)

// Config is what a Dispatcher needs.
type Config struct {
	Book     Book
	Access   accesstoken.Source
	Uploaded Uploaded
	Gate     Gate
	Meter    Meter
	// Tracer is asked for accounts that take receipts; nil: for none.
	Tracer Tracer
	// Gone is asked before anything is sent; nil: no token is known to be invalid.
	Gone Gone
	// Account finds an app's settings at a vendor. They may change at any time.
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
	recorder recorder
	gatherer *group.Gatherer[*claim]
	slots    *slots.Slots
	lines    lines
	// draining is closed when waiting tasks are to be put back: life has ended.
	draining <-chan struct{}
	life     context.Context
	drain    context.CancelFunc
}

// New returns a Dispatcher.
func New(c Config) *Dispatcher {
	if c.Now == nil {
		c.Now = time.Now
	}
	d := &Dispatcher{Config: c, recorder: recorder{book: c.Book, meter: c.Meter, log: c.Log}}
	d.life, d.drain = context.WithCancel(context.Background())
	d.draining = d.life.Done()
	d.gatherer = group.NewGatherer[*claim](c.Linger, d.draining)
	d.slots = slots.New(c.Requests, d.draining)
	d.lines.most = d.slots.Limit()
	return d
}

// Drain puts every task back that waits. Requests in flight go on.
func (d *Dispatcher) Drain() { d.drain() }

// unknownApp is how long a task waits for an app or version that this worker lacks.
const unknownApp = 30 * time.Second

// Handle works one task. It is a queue.Handler.
func (d *Dispatcher) Handle(ctx context.Context, lane string, t queue.Task) error {
	h, err := wire.DecodeHeader(t.Payload)
	if err != nil {
		return d.unreadable(lane, t, &ledger.CorruptError{Chunk: t.ID, Err: err})
	}
	if err := d.yieldToRateLimit(ctx, h, lane, t); err != nil {
		return err
	}
	c, err := d.load(ctx, h, lane, t)
	if c == nil {
		return err
	}
	if err := d.list(ctx, lane, c); err != nil {
		return err
	}
	c.endUnsendable(d.Now())
	if err := d.skipInvalid(ctx, c); err != nil {
		return err
	}
	return d.work(ctx, c)
}

// load claims the task's chunk. It returns nil if there is nothing to work.
func (d *Dispatcher) load(ctx context.Context, h wire.Header, lane string, t queue.Task) (*claim, error) {
	loaded := d.Now()
	open, err := d.Book.Load(ctx, h)
	if err != nil {
		return nil, d.unreadable(lane, t, err)
	}
	if open == nil {
		// An earlier run finished it, or the chunk was lost and is still listed.
		return nil, d.lose(ctx, lane, wire.OpenOf(t.ID, h), wire.DeadLostTask)
	}
	c := newClaim(t.ID, h, open, lane)
	c.loaded, c.ours, c.place, c.promise = loaded, t.Ours, queue.PlaceOf(ctx), promiseOf(t)
	return c, nil
}

// unreadable puts back what a newer version wrote or Redis could not deliver, and
// archives what cannot be read.
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

// work takes the claim's tokens as far as they can be taken now.
func (d *Dispatcher) work(ctx context.Context, c *claim) error {
	if c.remaining() == 0 {
		d.recorder.record(ctx, c)
		return c.verdict(d.Now())
	}
	a, ok := d.Account(c.header.App, c.vendor)
	if !ok {
		d.recorder.record(ctx, c)
		reason := reasonNoAccount + c.header.App + " at " + c.vendor
		return &queue.AgainError{At: d.Now().Add(unknownApp), Reason: reason}
	}
	all := d.batches(ctx, a, c)
	d.recorder.record(ctx, c) // what ended without a request, and the batches' keys
	if !c.unrecorded().lost {
		d.sendAll(ctx, a, c, all)
	}
	return c.verdict(d.Now())
}

// sendAll sends the chunk's batches. It returns when each has an answer or is put
// back.
func (d *Dispatcher) sendAll(ctx context.Context, a *account.Account, c *claim, all []*batch) {
	switch len(all) {
	case 0:
	case 1:
		d.sendOne(ctx, a, all[0])
	default:
		d.sendLarge(ctx, a, c, all)
	}
}

// sendOne sends a batch, together with others if it is small.
func (d *Dispatcher) sendOne(ctx context.Context, a *account.Account, b *batch) {
	small := b.Priority != push.High && b.Segments[0].Owner.capped() == 0 && d.gatherer.Small(a, b)
	if !small {
		d.send(ctx, a, batches{b}, false)
		return
	}
	d.gatherer.Send(ctx, a, b, func(ctx context.Context, together batches) { d.send(ctx, a, together, false) })
}

// sendLarge sends several batches of one chunk, as many requests at once as there
// are slots.
func (d *Dispatcher) sendLarge(ctx context.Context, a *account.Account, c *claim, all []*batch) {
	end, ok := d.beginLarge(ctx, a, c)
	if !ok {
		return
	}
	defer end()
	var wg sync.WaitGroup
	sending := make(chan struct{}, d.slots.Limit())
	for _, bs := range group.Mix(a, all, c.capped()) {
		if !d.acquire(ctx, sending) {
			c.putBack(d.Now(), reasonStopping)
			break
		}
		wg.Go(func() {
			defer func() { <-sending }()
			d.send(ctx, a, bs, true)
		})
	}
	wg.Wait()
}

// acquire waits for room in a semaphore. It returns false if the task is to be
// put back.
func (d *Dispatcher) acquire(ctx context.Context, semaphore chan<- struct{}) bool {
	select {
	case <-d.draining:
		return false
	default:
	}
	select {
	case semaphore <- struct{}{}:
		return true
	case <-d.draining:
		return false
	case <-ctx.Done():
		return false
	}
}

// slotFor says whose request needs a slot.
func slotFor(a *account.Account, p push.Priority) slots.Request {
	return slots.Request{Vendor: a.Spec.Name, App: a.App, Priority: p, Shared: a.Shared}
}

// jitter spreads what would otherwise come back at once.
func jitter() float64 { return rand.Float64() }
