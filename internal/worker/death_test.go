package worker

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// A death says at which operation a worker dies, and how far that one gets. An
// operation is one round trip to Redis, however many commands it carries, or one
// call of a vendor.
type death struct {
	at  int // from 1; 0: it lives
	how manner
}

type manner string

const (
	before  manner = "before"          // nothing of the operation reaches the other side
	halfway manner = "halfway"         // the first half of a pipeline's commands is applied
	after   manner = "its answer lost" // all of it is applied; the worker never learns of it
	acked   manner = "before the acks" // everything is recorded, and no task acknowledged
)

// mortal counts a worker's operations and kills it at one of them. A dead worker
// does nothing more: each of its goroutines ends at its next operation.
type mortal struct {
	mu    sync.Mutex
	death death
	n     int   // operations so far
	lives bool  // it is assembled; what it did before is not counted
	pipes []int // of those, the ones with several commands
	calls []int // and the calls of vendors
	dead  bool
}

// step counts an operation with so many commands, 0 for a call of a vendor, and
// says how it goes: "" for as ever.
func (m *mortal) step(commands int) manner {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.lives:
		return ""
	case m.dead:
		runtime.Goexit()
	}
	m.n++
	switch {
	case commands == 0:
		m.calls = append(m.calls, m.n)
	case commands > 1:
		m.pipes = append(m.pipes, m.n)
	}
	if m.n != m.death.at {
		return ""
	}
	m.dead = true
	return m.death.how
}

func (m *mortal) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lives = true
}

func (m *mortal) died() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// DialHook, ProcessHook and ProcessPipelineHook make it a hook of a Redis client.
func (m *mortal) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (m *mortal) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if greeting(cmd) {
			return next(ctx, cmd)
		}
		switch m.step(1) {
		case before, halfway:
			runtime.Goexit()
		case after:
			_ = next(ctx, cmd)
			runtime.Goexit()
		case acked, "":
		}
		return next(ctx, cmd)
	}
}

func (m *mortal) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if slices.ContainsFunc(cmds, greeting) {
			return next(ctx, cmds)
		}
		switch m.step(len(cmds)) {
		case before:
			runtime.Goexit()
		case halfway:
			if half := cmds[:len(cmds)/2]; len(half) > 0 {
				_ = next(ctx, half)
			}
			runtime.Goexit()
		case after:
			_ = next(ctx, cmds)
			runtime.Goexit()
		case acked, "":
		}
		return next(ctx, cmds)
	}
}

// greeting tells whether a command is the client's own, at the start of a connection.
func greeting(cmd redis.Cmder) bool {
	return slices.Contains([]string{"hello", "auth", "select", "client", "ping"}, cmd.Name())
}

// toVendors carries a worker's calls to the simulated vendors, without a network.
type toVendors struct {
	*mortal
	vendors http.Handler
}

func (v toVendors) RoundTrip(r *http.Request) (*http.Response, error) {
	how := v.step(0)
	if how == before || how == halfway {
		runtime.Goexit()
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	own := r.Clone(r.Context())
	own.Body, own.RequestURI = io.NopCloser(bytes.NewReader(body)), r.URL.RequestURI()
	own.Header = http.Header{} // as a network would bring the names
	for name, values := range r.Header {
		own.Header[http.CanonicalHeaderKey(name)] = values
	}
	rec := httptest.NewRecorder()
	v.vendors.ServeHTTP(rec, own)
	if how == after {
		runtime.Goexit()
	}
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}
