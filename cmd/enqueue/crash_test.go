package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

// fuse stands between the command and Redis and burns through: from then on
// nothing passes, as if the command had been killed. It cannot take anything back.
type fuse struct {
	redis    string
	listener net.Listener

	mu     sync.Mutex
	passed int  // requests
	at     int  // the request at which it burns through; 0: never
	after  bool // Redis still gets that request, and its answer is lost
	burnt  bool
	conns  []net.Conn
	wg     sync.WaitGroup
}

func newFuse(t *testing.T, redis string, at int, after bool) *fuse {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fuse{redis: redis, listener: l, at: at, after: after}
	f.wg.Go(f.accept)
	t.Cleanup(func() {
		_ = l.Close()
		f.burn()
		f.wg.Wait()
	})
	return f
}

func (f *fuse) accept() {
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return
		}
		var d net.Dialer
		server, err := d.DialContext(context.Background(), "tcp", f.redis)
		if err != nil || !f.keep(client, server) {
			_ = client.Close()
			continue
		}
		f.wg.Go(func() { f.requests(client, server) })
		f.wg.Go(func() { f.answers(server, client) })
	}
}

// keep remembers connections so that they can be cut; false: it is too late.
func (f *fuse) keep(both ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns = append(f.conns, both...)
	if f.burnt {
		for _, c := range both {
			_ = c.Close()
		}
	}
	return !f.burnt
}

func (f *fuse) burn() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.burnt = true
	for _, c := range f.conns {
		_ = c.Close()
	}
}

// requests passes what the client asks on, up to the fatal one.
func (f *fuse) requests(client, server net.Conn) {
	buf := make([]byte, 1<<20)
	for {
		n, err := client.Read(buf)
		if err != nil {
			_ = server.Close()
			return
		}
		f.mu.Lock()
		f.passed++
		fatal := f.passed == f.at
		f.mu.Unlock()
		if fatal && !f.after {
			f.burn()
			return
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// answers passes what Redis says on, unless the fuse is to burn with it.
func (f *fuse) answers(server, client net.Conn) {
	buf := make([]byte, 1<<20)
	for {
		n, err := server.Read(buf)
		if err != nil {
			_ = client.Close()
			return
		}
		f.mu.Lock()
		fatal := f.after && f.at > 0 && f.passed >= f.at
		f.mu.Unlock()
		if fatal {
			f.burn()
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

const half = 200 // tokens of a job that is cut into 20 chunks

func halfway(args ...string) []string {
	return notification(append([]string{"--targets", "-", "--id", "campaign"}, args...)...)
}

// requestsOfOneJob counts what the command asks of Redis; the most it asks is
// of one that does not know its scripts yet.
func requestsOfOneJob(t *testing.T) int {
	t.Helper()
	d := &desk{rdb: redistest.Start(t).Client(t)}
	f := newFuse(t, d.rdb.Options().Addr, 0, false)
	(&desk{d.through(t, f), d.rdb}).good(t, csv(half), halfway()...)
	d.whole(t, "campaign", "huawei:normal", half)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.passed
}

// through is a configuration for the desk's database behind a fuse.
func (d *desk) through(t *testing.T, f *fuse) string {
	t.Helper()
	return writeConfig(t, fmt.Sprintf("redis://%s/%d", f.listener.Addr(), d.rdb.Options().DB))
}

func TestAJobThatACrashLeftHalfEnqueuedIsCompleted(t *testing.T) {
	t.Parallel()
	all := requestsOfOneJob(t)
	for _, after := range []bool{false, true} {
		for at := 1; at <= all; at++ {
			t.Run(fmt.Sprintf("killed at request %d of %d, which redis got: %v", at, all, after), func(t *testing.T) {
				t.Parallel()
				d := newDesk(t)
				want := 0
				if state := killedAt(t, d, at, after); state == wire.Running {
					want = exitDuplicate // only the answer was lost
				} else if tasks := len(d.tasks(t, "huawei:normal")); tasks > 0 && state != wire.Sealed {
					t.Errorf("%d tasks wait while the ledger is %q, want none before all chunks are there", tasks, state)
				}
				if again := d.run(t, csv(half), halfway()...); again.code != want {
					t.Errorf("again: exit %d, %s, want %d", again.code, again.err, want)
				}
				d.whole(t, "campaign", "huawei:normal", half)
				if third := d.run(t, csv(half), halfway()...); third.code != exitDuplicate {
					t.Errorf("a third time: exit %d, want 3", third.code)
				}
				d.whole(t, "campaign", "huawei:normal", half)
			})
		}
	}
}

// killedAt sends the job through a fuse and returns the state in which it left the ledger.
func killedAt(t *testing.T, d *desk, at int, after bool) string {
	t.Helper()
	f := newFuse(t, d.rdb.Options().Addr, at, after)
	if got := (&desk{d.through(t, f), d.rdb}).run(t, csv(half), halfway()...); got.code != 0 && got.code != exitFailed {
		t.Errorf("the killed one: exit %d, %s, want 1", got.code, got.err)
	}
	return d.rdb.HGet(t.Context(), wire.JobKey("campaign"), wire.FieldState).Val()
}

func TestAHalfEnqueuedJobIsNotCompletedWithSomethingElse(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	at := 8 // some requests say who the command is
	for killedAt(t, d, at, false) != wire.Staging {
		if at++; at > 100 {
			t.Fatal("it is never half-enqueued")
		}
	}
	for name, c := range map[string]struct {
		stdin string
		args  []string
	}{
		"another message": {csv(half), halfway("--title", "Other")},
		"other targets":   {strings.ReplaceAll(csv(half), "t", "u"), halfway()},
	} {
		got := d.run(t, c.stdin, c.args...)
		if got.code != exitUsage || !strings.Contains(got.err, "job differs from its half-enqueued first part") {
			t.Errorf("%s: exit %d, %s, want 2 and that it differs", name, got.code, got.err)
		}
	}
	if n := len(d.tasks(t, "huawei:normal")); n != 0 {
		t.Errorf("%d tasks wait, want none before the job is complete", n)
	}
	d.good(t, csv(half), halfway()...)
	d.whole(t, "campaign", "huawei:normal", half)
}

// doomed is a reader during which the command is told to end.
type doomed struct {
	r      io.Reader
	lines  int // after which it comes
	cancel context.CancelFunc
	silent bool // nothing comes after it
	closed chan struct{}
}

func (s *doomed) Read(p []byte) (int, error) {
	if s.lines <= 0 && s.silent {
		<-s.closed
		return 0, io.EOF
	}
	n, err := s.r.Read(p[:min(len(p), 12*5)]) // five lines at a time
	if s.lines -= 5; s.lines <= 0 {
		s.cancel()
	}
	return n, err
}

func TestAnEnqueueThatIsInterruptedLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for _, silent := range []bool{false, true} {
		for _, lines := range []int{0, 5, 100, 195} {
			t.Run(fmt.Sprintf("after %d lines, silent: %v", lines, silent), func(t *testing.T) {
				t.Parallel()
				d := newDesk(t)
				ctx, cancel := context.WithCancel(t.Context())
				in := &doomed{strings.NewReader(csv(half)), lines, cancel, silent, make(chan struct{})}
				defer close(in.closed)
				if lines == 0 {
					cancel()
				}
				got := d.runWith(ctx, in, halfway()...)
				if got.code != exitFailed || got.out != "" || !strings.Contains(got.err, "canceled") {
					t.Errorf("exit %d, %s%s, want 1", got.code, got.out, got.err)
				}
				d.empty(t)
				d.good(t, csv(half), halfway()...)
				d.whole(t, "campaign", "huawei:normal", half)
			})
		}
	}
}

func TestASilentStdinCanBeInterrupted(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"send", "--jobs", "-"}, {"send", "--job", "-"}, notification("--targets", "-"), notification("--target", "huawei:a", "--message", "-"),
	} {
		t.Run(strings.Join(args[len(args)-2:], " "), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			r, w := io.Pipe()
			defer w.Close()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if got := d.runWith(ctx, r, args...); got.code != exitFailed || !strings.Contains(got.err, "canceled") {
				t.Errorf("exit %d, %s, want 1", got.code, got.err)
			}
			d.empty(t)
		})
	}
}

func TestInterruptible(t *testing.T) {
	t.Parallel()
	t.Run("hands on what comes", func(t *testing.T) {
		t.Parallel()
		text := strings.Repeat("0123456789", 100_000)
		got, err := io.ReadAll(&interruptible{ctx: t.Context(), r: strings.NewReader(text)})
		if err != nil || string(got) != text {
			t.Errorf("got %d bytes, %v, want %d", len(got), err, len(text))
		}
	})
	t.Run("ends while nothing comes", func(t *testing.T) {
		t.Parallel()
		r, w := io.Pipe()
		defer w.Close()
		ctx, cancel := context.WithCancel(t.Context())
		in := &interruptible{ctx: ctx, r: r}
		done := make(chan error, 1)
		go func() {
			_, err := in.Read(make([]byte, 10))
			done <- err
		}()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want canceled", err)
		}
	})
}
