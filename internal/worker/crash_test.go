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

// crash says at which operation a worker crashes, and how much of that operation
// happens. An operation is one round trip to Redis, with any number of commands, or
// one call of a vendor.
type crash struct {
	at  int // from 1; 0: it does not crash
	how crashMode
}

type crashMode string

const (
	before  crashMode = "before"            // nothing of the operation reaches the other side
	halfway crashMode = "halfway"           // the first half of a pipeline's commands is applied
	after   crashMode = "with a lost reply" // all of it is applied; the worker does not get the reply
	acked   crashMode = "before the acks"   // everything is recorded, but no task is acknowledged
)

// crashHook counts a worker's operations and crashes it at one of them. A crashed
// worker does nothing more: each of its goroutines ends at its next operation.
type crashHook struct {
	mu      sync.Mutex
	crash   crash
	n       int   // operations so far
	started bool  // operations before the start are not counted
	pipes   []int // operations with several commands
	calls   []int // operations that are calls of vendors
	dead    bool
}

// step counts an operation with this number of commands, 0 for a call of a vendor.
// It returns how the worker crashes at it; "": it does not.
func (m *crashHook) step(commands int) crashMode {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.started:
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
	if m.n != m.crash.at {
		return ""
	}
	m.dead = true
	return m.crash.how
}

func (m *crashHook) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.started = true
}

func (m *crashHook) died() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// DialHook, ProcessHook and ProcessPipelineHook implement redis.Hook.
func (m *crashHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (m *crashHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
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

func (m *crashHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
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

// greeting reports whether a command is one that the client sends when it connects.
func greeting(cmd redis.Cmder) bool {
	return slices.Contains([]string{"hello", "auth", "select", "client", "ping"}, cmd.Name())
}

// toVendors is a transport that calls the simulated vendors without a network.
type toVendors struct {
	*crashHook
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
	own.Header = http.Header{} // with canonical names, as after a network transfer
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
