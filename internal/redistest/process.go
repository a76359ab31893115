package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"time"
)

// process is a running redis-server, bound to this process.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	unbind func()
}

func start(binary string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(context.Background(), binary, args...), exited: make(chan struct{})}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // ended by kill, or its log says why
	}()
	var err error
	if p.unbind, err = Bind(p.pid()); err != nil {
		p.unbind = func() {}
		p.kill()
		return nil, err
	}
	return p, nil
}

// Bind has a process killed when this one ends in whatever way: a test binary
// that runs out of time runs no cleanup. unbind ends that; call it
// when the process has ended, or before: its id may be another's afterwards.
func Bind(pid int) (unbind func(), err error) {
	watcher := exec.CommandContext(context.Background(), "sh", "-c", `read -r _; kill -9 "$0"`, strconv.Itoa(pid))
	leash, err := watcher.StdinPipe() // the kernel closes it when we die
	if err == nil {
		err = watcher.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("watch over process %d: %w", pid, err)
	}
	return func() {
		_ = watcher.Process.Kill()
		_ = watcher.Wait()
		_ = leash.Close()
	}, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// kill ends the watcher first: once redis-server is gone its pid may be another's.
func (p *process) kill() {
	p.unbind()
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// answers waits until this very process answers PING at addr.
func (p *process) answers(ctx context.Context, addr string) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		err := p.ping(ctx, addr)
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-p.exited:
			return fmt.Errorf("it ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		}
	}
}

// ping also compares process ids: should our server have lost its port to
// another test's, that one would answer just as well. It speaks to the socket
// itself because go-redis goes on dialing in the background after a refusal.
func (p *process) ping(ctx context.Context, addr string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // a probe; nothing was sent that could be lost
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(conn, "PING\r\nINFO server\r\nQUIT\r\n"); err != nil {
		return err
	}
	answer, err := io.ReadAll(conn)
	switch {
	case err != nil:
		return err
	case !bytes.HasPrefix(answer, []byte("+PONG\r\n")):
		return fmt.Errorf("the answer to PING is %.60q", answer)
	case !bytes.Contains(answer, fmt.Appendf(nil, "process_id:%d\r\n", p.pid())):
		return errors.New("another redis-server has the port")
	}
	return nil
}
