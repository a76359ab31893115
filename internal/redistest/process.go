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

// process is a running redis-server that is killed when this process ends.
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

// Bind makes a process be killed when this one ends in any way: a test binary that
// times out runs no cleanup. Call unbind at the latest when the process has ended,
// since its id may then be reused.
func Bind(pid int) (unbind func(), err error) {
	watcher := exec.CommandContext(context.Background(), "sh", "-c", `read -r _; kill -9 "$0"`, strconv.Itoa(pid))
	pipe, err := watcher.StdinPipe() // the kernel closes it when this process ends
	if err == nil {
		err = watcher.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("watch process %d: %w", pid, err)
	}
	return func() {
		_ = watcher.Process.Kill()
		_ = watcher.Wait()
		_ = pipe.Close()
	}, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// kill ends the watcher first: once redis-server has ended, its pid may be reused.
func (p *process) kill() {
	p.unbind()
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// answers waits until this process, and not another server, answers PING at addr.
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
			return fmt.Errorf("redis-server ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("redis-server does not answer: %w", err)
		}
	}
}

// ping also compares process ids, since another test's server that took the port
// would answer too. It uses the socket directly because go-redis continues to dial
// in the background after a refused connection.
func (p *process) ping(ctx context.Context, addr string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it was only read
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
