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

// cutter is a proxy between the command and Redis that cuts all connections at
// one request, as if the command had been killed at that moment.
type cutter struct {
	redis    string
	listener net.Listener

	mu     sync.Mutex
	passed int  // requests
	at     int  // the request at which it cuts; 0: never
	after  bool // Redis still gets that request, but the reply is lost
	cut    bool
	conns  []net.Conn
	wg     sync.WaitGroup
}

func newCutter(t *testing.T, redis string, at int, after bool) *cutter {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &cutter{redis: redis, listener: l, at: at, after: after}
	f.wg.Go(f.accept)
	t.Cleanup(func() {
		_ = l.Close()
		f.cutAll()
		f.wg.Wait()
	})
	return f
}

func (f *cutter) accept() {
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return
		}
		var d net.Dialer
		server, err := d.DialContext(context.Background(), "tcp", f.redis)
		if err != nil || !f.register(client, server) {
			_ = client.Close()
			continue
		}
		f.wg.Go(func() { f.requests(client, server) })
		f.wg.Go(func() { f.answers(server, client) })
	}
}

// register stores connections so that they can be cut; false: they were cut already.
func (f *cutter) register(both ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns = append(f.conns, both...)
	if f.cut {
		for _, c := range both {
			_ = c.Close()
		}
	}
	return !f.cut
}

func (f *cutter) cutAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = true
	for _, c := range f.conns {
		_ = c.Close()
	}
}

// requests forwards the client's requests, up to the one at which it cuts.
func (f *cutter) requests(client, server net.Conn) {
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
			f.cutAll()
			return
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// answers forwards the replies of Redis, except the one that is to be lost.
func (f *cutter) answers(server, client net.Conn) {
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
			f.cutAll()
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

const campaignTokens = 200 // a job of this many tokens has 20 chunks

func campaign(args ...string) []string {
	return notification(append([]string{"--targets", "-", "--id", "campaign"}, args...)...)
}

// requestsOfOneJob counts the requests of one enqueue. A new Redis gets the
// most, since it does not know the scripts yet.
func requestsOfOneJob(t *testing.T) int {
	t.Helper()
	d := &deployment{rdb: redistest.Start(t).Client(t)}
	f := newCutter(t, d.rdb.Options().Addr, 0, false)
	(&deployment{d.through(t, f), d.rdb}).runOK(t, csv(campaignTokens), campaign()...)
	d.checkComplete(t, "campaign", "huawei:normal", campaignTokens)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.passed
}

// through writes a configuration that reaches the deployment's database by a cutter.
func (d *deployment) through(t *testing.T, f *cutter) string {
	t.Helper()
	return writeConfig(t, fmt.Sprintf("redis://%s/%d", f.listener.Addr(), d.rdb.Options().DB))
}

func TestAJobThatACrashLeftHalfEnqueuedIsCompleted(t *testing.T) {
	t.Parallel()
	all := requestsOfOneJob(t)
	for _, after := range []bool{false, true} {
		for at := 1; at <= all; at++ {
			t.Run(fmt.Sprintf("killed at request %d of %d, received by redis: %v", at, all, after), func(t *testing.T) {
				t.Parallel()
				d := newDeployment(t)
				want := 0
				if state := killedAt(t, d, at, after); state == wire.Running {
					want = exitDuplicate // the job was complete, only the reply was lost
				} else if tasks := len(d.tasks(t, "huawei:normal")); tasks > 0 && state != wire.Sealed {
					t.Errorf("%d tasks wait while the ledger is %q, want none before all chunks are stored", tasks, state)
				}
				if again := d.run(t, csv(campaignTokens), campaign()...); again.code != want {
					t.Errorf("second run: exit %d, %s, want %d", again.code, again.err, want)
				}
				d.checkComplete(t, "campaign", "huawei:normal", campaignTokens)
				if third := d.run(t, csv(campaignTokens), campaign()...); third.code != exitDuplicate {
					t.Errorf("third run: exit %d, want 3", third.code)
				}
				d.checkComplete(t, "campaign", "huawei:normal", campaignTokens)
			})
		}
	}
}

// killedAt enqueues the job through a cutter and returns the resulting state of the ledger.
func killedAt(t *testing.T, d *deployment, at int, after bool) string {
	t.Helper()
	f := newCutter(t, d.rdb.Options().Addr, at, after)
	if got := (&deployment{d.through(t, f), d.rdb}).run(t, csv(campaignTokens), campaign()...); got.code != 0 && got.code != exitFailed {
		t.Errorf("killed run: exit %d, %s, want 1", got.code, got.err)
	}
	return d.rdb.HGet(t.Context(), wire.JobKey("campaign"), wire.FieldState).Val()
}

func TestAHalfEnqueuedJobIsNotCompletedWithOtherContent(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	at := 8 // the first requests open the connection
	for killedAt(t, d, at, false) != wire.Staging {
		if at++; at > 100 {
			t.Fatal("no cut left the job half-enqueued")
		}
	}
	for name, c := range map[string]struct {
		stdin string
		args  []string
	}{
		"another message": {csv(campaignTokens), campaign("--title", "Other")},
		"other targets":   {strings.ReplaceAll(csv(campaignTokens), "t", "u"), campaign()},
	} {
		got := d.run(t, c.stdin, c.args...)
		if got.code != exitUsage || !strings.Contains(got.err, "job differs from its half-enqueued first part") {
			t.Errorf("%s: exit %d, %s, want 2 and an error that says it differs", name, got.code, got.err)
		}
	}
	if n := len(d.tasks(t, "huawei:normal")); n != 0 {
		t.Errorf("%d tasks wait, want none before the job is complete", n)
	}
	d.runOK(t, csv(campaignTokens), campaign()...)
	d.checkComplete(t, "campaign", "huawei:normal", campaignTokens)
}

// interruptedReader cancels the command's context while the command reads.
type interruptedReader struct {
	r      io.Reader
	lines  int // after this many lines it cancels
	cancel context.CancelFunc
	silent bool // after that, reads block until closed
	closed chan struct{}
}

func (s *interruptedReader) Read(p []byte) (int, error) {
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

func TestAnInterruptedEnqueueLeavesNothingInRedis(t *testing.T) {
	t.Parallel()
	for _, silent := range []bool{false, true} {
		for _, lines := range []int{0, 5, 100, 195} {
			t.Run(fmt.Sprintf("after %d lines, silent: %v", lines, silent), func(t *testing.T) {
				t.Parallel()
				d := newDeployment(t)
				ctx, cancel := context.WithCancel(t.Context())
				in := &interruptedReader{strings.NewReader(csv(campaignTokens)), lines, cancel, silent, make(chan struct{})}
				defer close(in.closed)
				if lines == 0 {
					cancel()
				}
				got := d.runWith(ctx, in, campaign()...)
				if got.code != exitFailed || got.out != "" || !strings.Contains(got.err, "canceled") {
					t.Errorf("exit %d, %s%s, want 1", got.code, got.out, got.err)
				}
				d.checkEmpty(t)
				d.runOK(t, csv(campaignTokens), campaign()...)
				d.checkComplete(t, "campaign", "huawei:normal", campaignTokens)
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
			d := newDeployment(t)
			r, w := io.Pipe()
			defer w.Close()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if got := d.runWith(ctx, r, args...); got.code != exitFailed || !strings.Contains(got.err, "canceled") {
				t.Errorf("exit %d, %s, want 1", got.code, got.err)
			}
			d.checkEmpty(t)
		})
	}
}

func TestInterruptible(t *testing.T) {
	t.Parallel()
	t.Run("passes the input through", func(t *testing.T) {
		t.Parallel()
		text := strings.Repeat("0123456789", 100_000)
		got, err := io.ReadAll(&interruptible{ctx: t.Context(), r: strings.NewReader(text)})
		if err != nil || string(got) != text {
			t.Errorf("got %d bytes, %v, want %d", len(got), err, len(text))
		}
	})
	t.Run("ends while no input arrives", func(t *testing.T) {
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
