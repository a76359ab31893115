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

// The faults. Both end the connection, as a network fault does.
const (
	// None: the command is applied and answered.
	None Fault = iota
	// LoseCommand: the command does not reach the server.
	LoseCommand
	// LoseAnswer: the command is applied, and the client does not hear of it.
	LoseAnswer
)

// Faults decides about the n-th command, from 1, of all of a Proxy's
// connections; name is in lower case. Calls never overlap.
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

// Sometimes loses that share of all commands, from 0 to 1, and as many answers.
func Sometimes(seed uint64, share float64) Faults {
	rng := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test that can be repeated
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

// Proxy is a network between clients and a redis-server that breaks on purpose.
// It is safe for concurrent use.
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

// NewProxy starts a proxy for the server at addr that breaks nothing yet. It
// ends with the test.
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

// Addr is where clients reach the server by the proxy.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Client returns a client of the same database as direct's, by the proxy and
// with the settings that users have: go-redis sends a command again whose
// answer was lost. It is closed when the test ends.
func (p *Proxy) Client(tb testing.TB, direct *redis.Client) *redis.Client {
	tb.Helper()
	c := redis.NewClient(&redis.Options{Addr: p.Addr(), DB: direct.Options().DB})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// Flaky returns a client of the same database as direct's whose commands go by
// a proxy of its own.
func Flaky(tb testing.TB, direct *redis.Client) (*Proxy, *redis.Client) {
	tb.Helper()
	p := NewProxy(tb, direct.Options().Addr)
	return p, p.Client(tb, direct)
}

// Break has faults decide about all commands from now on, which are counted
// anew; nil breaks none.
func (p *Proxy) Break(faults Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults, p.n = faults, 0
}

// Delay has every command wait for so long before it reaches the server.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Commands is how many commands came since the last Break. Those that go-redis
// begins a connection with do not count.
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
		p.keep(client, server)
		fates := make(chan Fault, 1<<16) // of the commands whose answers have not come
		p.wg.Go(func() {
			p.ask(client, server, fates)
			p.end(client, server)
		})
		p.wg.Go(func() {
			answer(client, server, fates)
			p.end(client, server)
		})
	}
}

func (p *Proxy) keep(conns ...net.Conn) {
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

// ask hands a connection's commands on, until one of them is broken.
func (p *Proxy) ask(client io.Reader, server io.Writer, fates chan<- Fault) {
	in := bufio.NewReader(client)
	for {
		command, err := frame(in)
		if err != nil {
			return
		}
		fate, delay := p.fate(commandName(command))
		<-time.After(delay)
		if fate == LoseCommand {
			return
		}
		fates <- fate
		if _, err := server.Write(command); err != nil {
			return
		}
		if fate == LoseAnswer {
			// What follows in the same pipeline does not reach the server; answer
			// ends the connection.
			_, _ = io.Copy(io.Discard, in)
			return
		}
	}
}

// answer hands the server's answers on, until one is to be lost.
func answer(client io.Writer, server io.Reader, fates <-chan Fault) {
	in := bufio.NewReader(server)
	for {
		reply, err := frame(in)
		if err != nil {
			return
		}
		if reply[0] != '>' && <-fates == LoseAnswer {
			return
		}
		if _, err := client.Write(reply); err != nil {
			return
		}
	}
}

// fate decides about a command.
func (p *Proxy) fate(name string) (Fault, time.Duration) {
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

// frame reads one value of Redis' protocol, whole and as it is.
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
			return nil, fmt.Errorf("not a value of Redis' protocol: %.20q", line)
		}
	}
	return b, nil
}
