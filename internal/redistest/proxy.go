package redistest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Fault is what a Proxy does with a command.
type Fault int

// The faults. Both lose the connection, like a network fault.
const (
	// None: the command is applied and answered.
	None Fault = iota
	// LoseCommand: the command does not reach the server.
	LoseCommand
	// LoseAnswer: the command is applied, but the client gets no reply.
	LoseAnswer
)

// Faults decides about the n-th command, counted from 1 over all connections of a
// Proxy; name is in lower case. It is never called concurrently.
type Faults func(n int, name string) Fault

// Nth breaks the n-th command, and no other.
func Nth(n int, f Fault) Faults {
	return func(i int, _ string) Fault {
		if i == n {
			return f
		}
		return None
	}
}

// Named breaks the first command of that name, and no other.
func Named(name string, f Fault) Faults {
	done := false
	return func(_ int, have string) Fault {
		if done || have != name {
			return None
		}
		done = true
		return f
	}
}

// Sometimes loses this share of all commands, from 0 to 1, and the same share of replies.
func Sometimes(seed uint64, share float64) Faults {
	rng := rand.New(rand.NewPCG(seed, 0))
	return func(int, string) Fault {
		switch x := rng.Float64(); {
		case x < share:
			return LoseCommand
		case x < 2*share:
			return LoseAnswer
		}
		return None
	}
}

// Proxy forwards between clients and a redis-server, and breaks connections on
// purpose. It is safe for concurrent use.
type Proxy struct {
	to       string
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	faults Faults
	delay  time.Duration
	n      int
	conns  map[net.Conn]struct{}
	closed bool
}

// NewProxy starts a proxy for the server at addr, without faults. It ends with the
// test.
func NewProxy(tb testing.TB, addr string) *Proxy {
	tb.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{to: addr, listener: l, conns: map[net.Conn]struct{}{}}
	p.wg.Go(p.accept)
	tb.Cleanup(func() {
		_ = l.Close()
		p.Cut()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.Cut()
		p.wg.Wait()
	})
	return p
}

// Addr is the address of the proxy.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Client returns a client of direct's database that uses the proxy and has default
// settings: go-redis repeats a command whose reply was lost. It is closed when the
// test ends.
func (p *Proxy) Client(tb testing.TB, direct *redis.Client) *redis.Client {
	tb.Helper()
	c := redis.NewClient(&redis.Options{Addr: p.Addr(), DB: direct.Options().DB})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// Flaky returns a client of direct's database with its own proxy.
func Flaky(tb testing.TB, direct *redis.Client) (*Proxy, *redis.Client) {
	tb.Helper()
	p := NewProxy(tb, direct.Options().Addr)
	return p, p.Client(tb, direct)
}

// Break sets the faults of all commands from now on, which are counted from 1
// again; nil: no faults.
func (p *Proxy) Break(faults Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults, p.n = faults, 0
}

// Delay delays every command by d before it reaches the server.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Commands is how many commands were sent since the last Break, without those with
// which go-redis opens a connection.
func (p *Proxy) Commands() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

// Cut ends all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		var d net.Dialer
		server, err := d.DialContext(context.Background(), "tcp", p.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.register(client, server)
		faults := make(chan Fault, 1<<16) // the faults of the commands without a reply yet
		p.wg.Go(func() {
			p.forward(client, server, faults)
			p.end(client, server)
		})
		p.wg.Go(func() {
			answer(client, server, faults)
			p.end(client, server)
		})
	}
}

func (p *Proxy) register(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = struct{}{}
		if p.closed {
			_ = c.Close()
		}
	}
}

func (p *Proxy) end(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

// forward forwards a connection's commands, until one has a fault.
func (p *Proxy) forward(client io.Reader, server io.Writer, faults chan<- Fault) {
	in := bufio.NewReader(client)
	for {
		command, err := frame(in)
		if err != nil {
			return
		}
		fault, delay := p.faultOf(commandName(command))
		<-time.After(delay)
		if fault == LoseCommand {
			return
		}
		faults <- fault
		if _, err := server.Write(command); err != nil {
			return
		}
		if fault == LoseAnswer {
			// The rest of the pipeline does not reach the server; answer closes the
			// connection.
			_, _ = io.Copy(io.Discard, in)
			return
		}
	}
}

// answer forwards the server's replies, until one is to be lost.
func answer(client io.Writer, server io.Reader, faults <-chan Fault) {
	in := bufio.NewReader(server)
	for {
		reply, err := frame(in)
		if err != nil {
			return
		}
		if reply[0] != '>' && <-faults == LoseAnswer {
			return
		}
		if _, err := client.Write(reply); err != nil {
			return
		}
	}
}

// faultOf decides about a command.
func (p *Proxy) faultOf(name string) (Fault, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains([]string{"hello", "auth", "select", "client", "ping", "quit"}, name) {
		return None, 0
	}
	p.n++
	if p.faults == nil {
		return None, p.delay
	}
	return p.faults(p.n, name), p.delay
}

// commandName is the first word of an encoded command.
func commandName(b []byte) string {
	lines := bytes.SplitN(b, []byte("\r\n"), 4)
	if len(lines) < 4 {
		return ""
	}
	return strings.ToLower(string(lines[2]))
}

// frame reads one value of Redis's protocol without decoding it.
func frame(in *bufio.Reader) ([]byte, error) {
	var b []byte
	for left := 1; left > 0; left-- {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		b = append(b, line...)
		n, _ := strconv.Atoi(string(bytes.TrimRight(line[1:], "\r\n")))
		switch line[0] {
		case '$', '=', '!':
			if n < 0 {
				continue
			}
			at := len(b)
			b = append(b, make([]byte, n+2)...)
			if _, err := io.ReadFull(in, b[at:]); err != nil {
				return nil, err
			}
		case '*', '~', '>':
			left += max(n, 0)
		case '%':
			left += 2 * n
		case '|':
			left += 2*n + 1
		case '+', '-', ':', '_', ',', '#', '(':
		default:
			return nil, fmt.Errorf("not a value of Redis's protocol: %.20q", line)
		}
	}
	return b, nil
}
