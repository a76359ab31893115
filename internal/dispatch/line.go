package dispatch

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/account"
	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// lines are the requests of each account and priority that wait in this worker
// for permits. A line is short: a request that does not fit is put back for a time
// of its own, so that an app with a low rate and many tasks keeps no other app's
// tasks from being worked. docs/decisions/rate-limit-lines.md says why.
type lines struct {
	most int // requests of one line
	mu   sync.Mutex
	all  map[lineKey]line
}

// line is how many requests wait, and for how many permits.
type line struct{ requests, units int }

type lineKey struct {
	app, vendor string
	priority    push.Priority
}

func lineOf(a *account.Account, p push.Priority) lineKey { return lineKey{a.App, a.Spec.Name, p} }

// fits reports whether the line has room for a request. ahead is how many permits
// those in it wait for.
func (l *lines) fits(a *account.Account, p push.Priority, units int) (ahead int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fitsLocked(a, p, units)
}

// fitsLocked is fits with mu held.
func (l *lines) fitsLocked(a *account.Account, p push.Priority, units int) (ahead int, ok bool) {
	have := l.all[lineOf(a, p)]
	long := float64(have.units+units) > max(a.Rate*lineLength.Seconds(), 2*float64(units))
	return have.units, have.requests == 0 || !long && have.requests < l.most
}

// enter adds a request to the line if it fits; leave is nil otherwise.
func (l *lines) enter(a *account.Account, p push.Priority, units int) (leave func(), ahead int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ahead, ok := l.fitsLocked(a, p, units)
	if !ok {
		return nil, ahead
	}
	return l.addLocked(a, p, units), ahead
}

// lineLength is how long the last one in a line waits, if no other worker has one.
const lineLength = 1500 * time.Millisecond

// add adds permits to the line however long it is.
func (l *lines) add(a *account.Account, p push.Priority, units int) (leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addLocked(a, p, units)
}

func (l *lines) addLocked(a *account.Account, p push.Priority, units int) (leave func()) {
	if l.all == nil {
		l.all = map[lineKey]line{}
	}
	k := lineOf(a, p)
	l.all[k] = line{l.all[k].requests + 1, l.all[k].units + units}
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		left := line{l.all[k].requests - 1, l.all[k].units - units}
		if l.all[k] = left; left.requests == 0 {
			delete(l.all, k)
		}
	})
}

// ahead is how many permits those in the line wait for.
func (l *lines) ahead(a *account.Account, p push.Priority) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[lineOf(a, p)].units
}

// yieldToRateLimit puts a task back, without loading its chunk, that would wait
// long for the rate limit. A chunk of several jobs is loaded: any of them may have
// been canceled, and that is to be counted soon.
func (d *Dispatcher) yieldToRateLimit(ctx context.Context, h wire.Header, lane string, t queue.Task) error {
	vendor, name := wire.SplitLane(lane)
	priority := push.Priority(name)
	a, ok := d.Account(h.App, vendor)
	if !ok || a.Rate == 0 || priority == push.High || h.Job == "" {
		return nil
	}
	p, now := promiseOf(t), d.Now()
	if p.before(now) {
		return nil // it was called up early: look at it
	}
	ahead, ok := d.lines.fits(a, priority, a.Units(h.Tokens))
	if ok {
		return nil
	}
	if canceled, err := d.Book.Canceled(ctx, h.Job); err != nil || canceled {
		return err
	}
	w := Waiting{priority, a.Units(h.Tokens), ahead, p.kept(now)}
	at, reason := d.turn(ctx, a, w, time.Unix(h.Expires, 0))
	return &queue.AgainError{At: at, Promised: isPromise(reason), Reason: reason}
}

// turn is when a request comes again that waits for the rate limit, and why.
func (d *Dispatcher) turn(ctx context.Context, a *account.Account, w Waiting, expires time.Time) (time.Time, string) {
	wait, err := d.Gate.Place(ctx, a, w)
	if err != nil {
		return d.Now().Add(time.Second), reasonPermit + err.Error()
	}
	at := earlier(d.Now().Add(wait), expires)
	return at, reasonTurn + at.UTC().Format(promiseTime)
}

// A task that waits for the rate limit says until when in its last error, where
// people see it in asynq's UI. When it comes again that reports whether its time has
// come, or it was called up early.
const (
	promiseTime = "2006-01-02T15:04:05.000Z"
	// promiseSlack is how much a task may be early: times are rounded, and clocks differ.
	promiseSlack = 100 * time.Millisecond
)

func isPromise(reason string) bool { return strings.HasPrefix(reason, reasonTurn) }

// promise is when a task was to come again for the rate limit; zero: it was not.
type promise struct{ at time.Time }

func promiseOf(t queue.Task) promise {
	text, ok := strings.CutPrefix(t.LastError, reasonTurn)
	if !ok {
		return promise{}
	}
	at, _ := time.Parse(promiseTime, text)
	return promise{at}
}

// before reports whether the promised time is still to come.
func (p promise) before(now time.Time) bool { return p.at.Sub(now) > promiseSlack }

// kept reports whether the promised time has come.
func (p promise) kept(now time.Time) bool { return !p.at.IsZero() && !p.before(now) }

// hadItsTurn reports whether all tasks of the request have waited for their turn.
func (r *request) hadItsTurn(now time.Time) bool {
	return !slices.ContainsFunc(r.batches.Owners(), func(c *claim) bool { return !c.promise.kept(now) })
}

// beginLarge lets a chunk of several requests begin, one of the few of its app and
// lane at a time. At a rate limit it has no place while it is worked: its requests
// wait most of the time. Not ok: it is put back.
func (d *Dispatcher) beginLarge(ctx context.Context, a *account.Account, c *claim) (end func(), ok bool) {
	limited := a.Rate > 0 && c.priority != push.High
	leave, ok := d.slots.TryLarge(slotFor(a, c.priority))
	if !ok && limited {
		w := Waiting{c.priority, a.Units(c.remaining()), d.lines.ahead(a, c.priority), c.promise.kept(d.Now())}
		c.putBack(d.turn(ctx, a, w, c.expires()))
		return nil, false
	}
	if !ok {
		leave, ok = d.awaitLarge(ctx, a, c)
	}
	if !ok || !limited {
		return leave, ok
	}
	leaveLine := d.lines.add(a, c.priority, a.Units(c.remaining()))
	back, ok := c.place.Park()
	if !ok {
		back = func() {}
	}
	return func() {
		back()
		leaveLine()
		leave()
	}, true
}

// awaitLarge waits, without a place, until a chunk of several requests may begin.
// Not ok: it is put back.
func (d *Dispatcher) awaitLarge(ctx context.Context, a *account.Account, c *claim) (leave func(), ok bool) {
	back, ok := c.place.Park()
	if !ok {
		c.putBack(d.Now().Add(time.Second), reasonLarge)
		return nil, false
	}
	defer back()
	if leave, ok = d.slots.WaitLarge(ctx, slotFor(a, c.priority)); !ok {
		c.putBack(d.Now(), reasonStopping)
	}
	return leave, ok
}
