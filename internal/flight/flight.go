// Package flight does work once for all who need it at the same time. The work
// is nobody's own: it runs under a context that ends only when every caller has
// left, so that one caller who is canceled cancels nobody else's work.
//
// It knows neither what the work is nor Redis: sharing among workers is a matter
// of whoever does the work.
package flight

import (
	"context"
	"sync"
)

// Callers are those that some work is done for. Their context is the work's: it
// keeps the first caller's values, has no deadline, and is canceled when all
// callers have left.
type Callers struct {
	ctx     context.Context //nolint:containedctx // it is what callers have in common
	cancel  context.CancelFunc
	mu      sync.Mutex
	waiting int
}

// New returns the first caller, whose context is ctx.
func New(ctx context.Context) *Callers {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return &Callers{ctx: own, cancel: cancel, waiting: 1}
}

// Context is the work's.
func (c *Callers) Context() context.Context { return c.ctx }

// Join adds a caller; false means that all others have left, and the work with them.
func (c *Callers) Join() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == 0 {
		return false
	}
	c.waiting++
	return true
}

// Wait returns when the work is done, or leaves when ctx ends; its error is then ctx's.
func (c *Callers) Wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting--; c.waiting == 0 {
		c.cancel()
	}
	return ctx.Err()
}

// Group is work by key. The zero value is ready for use.
type Group[K comparable, V any] struct {
	mu   sync.Mutex
	open map[K]*flight[V]
}

type flight[V any] struct {
	callers  *Callers
	done     chan struct{} // closed when the fields below are set
	value    V
	err      error
	panicked any
}

// Do answers what work does for the key. Callers of one key at one time share
// one run of it; each leaves with its context's error when that ends. A panic of
// the work is every caller's.
func (g *Group[K, V]) Do(ctx context.Context, key K, work func(context.Context) (V, error)) (V, error) {
	f := g.join(ctx, key, work)
	if err := f.callers.Wait(ctx, f.done); err != nil {
		var none V
		return none, err
	}
	if f.panicked != nil {
		panic(f.panicked)
	}
	return f.value, f.err
}

// Busy tells whether somebody does the key's work.
func (g *Group[K, V]) Busy(key K) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open[key] != nil
}

// join joins the key's flight, or starts one.
func (g *Group[K, V]) join(ctx context.Context, key K, work func(context.Context) (V, error)) *flight[V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.open[key]; f != nil && f.callers.Join() {
		return f
	}
	f := &flight[V]{callers: New(ctx), done: make(chan struct{})}
	if g.open == nil {
		g.open = map[K]*flight[V]{}
	}
	g.open[key] = f
	go g.run(key, f, work)
	return f
}

func (g *Group[K, V]) run(key K, f *flight[V], work func(context.Context) (V, error)) {
	defer func() {
		f.panicked = recover()
		g.mu.Lock()
		if g.open[key] == f {
			delete(g.open, key)
		}
		g.mu.Unlock()
		f.callers.cancel()
		close(f.done)
	}()
	f.value, f.err = work(f.callers.ctx)
}
