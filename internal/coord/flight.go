package coord

import (
	"context"
	"runtime"
	"sync"
)

// Callers wait for the same work. The work's context has the first caller's values and
// no deadline, and is canceled when all callers have left.
type Callers struct {
	ctx     context.Context
	cancel  context.CancelFunc
	mu      sync.Mutex
	waiting int

	done     chan struct{} // closed when the work is over, and the fields below are set
	returned bool          // false: it panicked, or called runtime.Goexit
	panicked any
}

// NewCallers returns Callers with the first one, whose context is ctx.
func NewCallers(ctx context.Context) *Callers {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	return &Callers{ctx: own, cancel: cancel, waiting: 1, done: make(chan struct{})}
}

// Join adds a caller; false: all others have left, so the work was canceled.
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

// Wait returns when the work is done, or when ctx ends, with ctx's error. If the work
// panicked or called runtime.Goexit, every caller does.
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

// Flight shares work by key. The zero value is ready for use.
type Flight[K comparable, V any] struct {
	mu   sync.Mutex
	open map[K]*shared[V]
}

type shared[V any] struct {
	callers *Callers
	value   V
	err     error
}

// Do returns the result of work for the key. Concurrent callers with the same key share
// one run of it; a caller whose context ends returns with that context's error.
func (g *Flight[K, V]) Do(ctx context.Context, key K, work func(context.Context) (V, error)) (V, error) {
	f := g.join(ctx, key, work)
	if err := f.callers.Wait(ctx); err != nil {
		var none V
		return none, err
	}
	return f.value, f.err
}

// Busy reports whether the key's work is being done.
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
