// Package redistest runs private redis-servers for tests, and breaks them on
// purpose: it kills, restarts and pauses them, and loses commands and replies.
//
// It knows how to start and stop the redis-server binary. It does not know what
// postrider stores in Redis. Only tests import it.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	databases    = 1024             // logical databases of one server; each Client gets its own
	startTimeout = 20 * time.Second // until a server answers its first PING on a busy machine
)

// Server is a private redis-server on a loopback port, without persistence unless
// it was started with AppendOnly. Its methods must be called by one goroutine only;
// its clients are safe for concurrent use.
type Server struct {
	dir  string
	addr string
	args []string
	next atomic.Int64 // databases in use
	proc *process     // nil: killed
}

// Option changes how a Server is started.
type Option func(*Server)

// AppendOnly makes the server write every command to disk before it replies, so
// that Restart loses nothing.
func AppendOnly() Option {
	return func(s *Server) { s.args = append(s.args, "--appendonly", "yes", "--appendfsync", "always") }
}

// Args adds arguments for redis-server, such as "--maxmemory", "100mb".
func Args(args ...string) Option {
	return func(s *Server) { s.args = append(s.args, args...) }
}

// Start starts a server that runs until the test ends, and waits until it answers.
// It fails the test if redis-server is not installed.
func Start(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	s, err := launch(tb.TempDir(), opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Kill() })
	return s
}

// Addr returns "127.0.0.1:port". It stays the same over restarts.
func (s *Server) Addr() string { return s.addr }

// Client returns a client of an empty logical database that no other test uses. It
// is closed when the test ends.
func (s *Server) Client(tb testing.TB) *redis.Client {
	tb.Helper()
	db := int(s.next.Add(1)-1) % databases
	client := redis.NewClient(&redis.Options{Addr: s.addr, DB: db})
	tb.Cleanup(func() { _ = client.Close() })
	if err := client.FlushDB(tb.Context()).Err(); err != nil {
		tb.Fatalf("empty database %d: %v", db, err)
	}
	return client
}

// URL returns a client's address and database in the form of the configuration's
// redis.url: "redis://127.0.0.1:port/db".
func URL(client *redis.Client) string {
	return fmt.Sprintf("redis://%s/%d", client.Options().Addr, client.Options().DB)
}

// Kill ends the server at once, as kill -9 does. Killing it twice does nothing.
func (s *Server) Kill() {
	if s.proc != nil {
		s.proc.kill()
		s.proc = nil
	}
}

// Restart kills the server if it runs and starts it again at the same address.
// Without AppendOnly it is empty afterwards.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	s.Kill()
	if err := s.run(); err != nil {
		tb.Fatalf("restart redis-server: %v", err)
	}
}

// Pause stops the server's process: connections stay open, but it does not reply.
func (s *Server) Pause(tb testing.TB) { s.signal(tb, syscall.SIGSTOP) }

// Resume continues the server's process after Pause.
func (s *Server) Resume(tb testing.TB) { s.signal(tb, syscall.SIGCONT) }

func (s *Server) signal(tb testing.TB, sig syscall.Signal) {
	tb.Helper()
	if s.proc == nil {
		tb.Fatalf("%v: redis-server was killed", sig)
	}
	if err := s.proc.cmd.Process.Signal(sig); err != nil {
		tb.Fatalf("%v: %v", sig, err)
	}
}

// launch starts a server with its files in dir, on a free port.
func launch(dir string, opts ...Option) (*Server, error) {
	s := &Server{dir: dir, args: []string{"--databases", strconv.Itoa(databases)}}
	for _, o := range opts {
		o(s)
	}
	for try := 1; ; try++ {
		var err error
		if s.addr, err = freeAddr(); err != nil {
			return nil, err
		}
		// Another process may take the port before redis-server does.
		if err = s.run(); err == nil || try == 5 || errors.Is(err, exec.ErrNotFound) {
			return s, err
		}
	}
}

// run starts the process at s.addr and waits until it answers.
func (s *Server) run() error {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("redis-server is not installed: run make setup, which installs it: %w", err)
	}
	_, port, _ := net.SplitHostPort(s.addr)
	args := append([]string{
		"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--save", "", "--logfile", filepath.Join(s.dir, "redis.log"),
	}, s.args...)
	p, err := start(binary, args...)
	if err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := p.answers(ctx, s.addr); err != nil {
		p.kill()
		return fmt.Errorf("start redis-server: %w\n%s", err, s.log())
	}
	s.proc = p
	return nil
}

// log returns the end of the server's log.
func (s *Server) log() string {
	b, _ := os.ReadFile(filepath.Join(s.dir, "redis.log"))
	lines := strings.Split(string(b), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

func freeAddr() (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}
