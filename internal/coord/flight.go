package coord

import (
	"context"
	"runtime"
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

	done     chan struct{} // closed when the work is over, and the fields below are set
	returned bool          // else it panicked, or called runtime.Goexit
	panicked any
}

// New returns the first caller, whose context is ctx.
func NewCallers(ctx context.Context) *Callers {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return &Callers{ctx: own, cancel: cancel, waiting: 1, done: make(chan struct{})}
}

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

// Run does the work, once, in a goroutine of its own.
func (c *Callers) Run(work func(context.Context)) {
	go func() {
		defer func() {
			c.panicked = recover()
			c.cancel()
			close(c.done)
		}()
		work(c.ctx)
		c.returned = true
	}()
}

// Wait returns when the work is done, or leaves when ctx ends; its error is then
// ctx's. The end of the work's goroutine, by a panic or runtime.Goexit, is every
// caller's.
func (c *Callers) Wait(ctx context.Context) error {
	select {
	case <-c.done:
		switch {
		case c.panicked != nil:
			panic(c.panicked)
		case !c.returned:
			runtime.Goexit()
		}
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
type Flight[K comparable, V any] struct {
	mu   sync.Mutex
	open map[K]*shared[V]
}

type shared[V any] struct {
	callers *Callers
	value   V
	err     error
}

// Do answers what work does for the key. Callers of one key at one time share
// one run of it; each leaves with its context's error when that ends.
func (g *Flight[K, V]) Do(ctx context.Context, key K, work func(context.Context) (V, error)) (V, error) {
	f := g.join(ctx, key, work)
	if err := f.callers.Wait(ctx); err != nil {
		var none V
		return none, err
	}
	return f.value, f.err
}

// Busy tells whether somebody does the key's work.
func (g *Flight[K, V]) Busy(key K) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open[key] != nil
}

// join joins the key's flight, or starts one.
func (g *Flight[K, V]) join(ctx context.Context, key K, work func(context.Context) (V, error)) *shared[V] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.open[key]; f != nil && f.callers.Join() {
		return f
	}
	f := &shared[V]{callers: NewCallers(ctx)}
	if g.open == nil {
		g.open = map[K]*shared[V]{}
	}
	g.open[key] = f
	f.callers.Run(func(ctx context.Context) {
		defer g.over(key, f)
		f.value, f.err = work(ctx)
	})
	return f
}

func (g *Flight[K, V]) over(key K, f *shared[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open[key] == f {
		delete(g.open, key)
	}
}
