package chaos

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/postrider/postrider/internal/redistest"
)

// workerCount is the number of workers.
const workerCount = 3

// stopBound is the longest that a worker may take to end on SIGTERM: its shutdown
// timeout, and some time to clean up.
const stopBound = shutdownTimeout + 5*time.Second

// workerProcess is a worker, whose process is restarted after it has ended.
type workerProcess struct {
	config, log string
	network     *redistest.Proxy // between it and Redis

	mu     sync.Mutex // locked while the worker is broken
	down   bool       // the test has stopped it
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
}

// start runs the worker's process.
func (h *workerProcess) start() error {
	out, err := os.OpenFile(h.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd, exited := exec.Command(filepath.Join(bin, "worker"), "--config", h.config), make(chan struct{})
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return err
	}
	unbind, err := redistest.Bind(cmd.Process.Pid)
	if err != nil {
		return err
	}
	go func() {
		defer close(exited)
		_ = cmd.Wait() // ProcessState has the result
		unbind()
	}()
	h.cmd, h.exited, h.down = cmd, exited, false
	return nil
}

// ended reports whether the process has ended.
func (h *workerProcess) ended() bool {
	select {
	case <-h.exited:
		return true
	default:
		return false
	}
}

// stop ends the process with a signal and returns its exit code. ok is false if it
// took longer than bound and was killed.
func (h *workerProcess) stop(sig syscall.Signal, bound time.Duration) (code int, ok bool) {
	h.down = true
	_ = h.cmd.Process.Signal(sig) // it may have ended already
	t := time.NewTimer(bound)
	defer t.Stop()
	select {
	case <-h.exited:
		return h.cmd.ProcessState.ExitCode(), true
	case <-t.C:
	}
	_ = h.cmd.Process.Kill()
	<-h.exited
	return -1, false
}

// loggedFaults returns what a worker must never log.
func (h *workerProcess) loggedFaults() []string {
	text, err := os.ReadFile(h.log)
	if err != nil {
		return []string{err.Error()}
	}
	var all []string
	for _, word := range []string{"panic:", "panicked", "fatal error:", "DATA RACE", "unreadable"} {
		if at := bytes.Index(text, []byte(word)); at >= 0 {
			all = append(all, fmt.Sprintf("%s contains: %.300s", h.log, text[at:]))
		}
	}
	return all
}

// interval is a time in which a worker or Redis was broken.
type interval struct {
	from, to time.Time // to is zero until it ends
	what     string
}

func (i interval) overlaps(from, to time.Time) bool {
	return !i.from.After(to) && (i.to.IsZero() || !i.to.Before(from))
}

// history has the intervals of each worker by its number, and of Redis as -1.
type history struct {
	mu  sync.Mutex
	all map[int][]interval
}

const redisServer = -1

// begin records the begin of an interval, and returns a function that records its end.
func (h *history) begin(who int, what string) (end func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = map[int][]interval{}
	}
	i := len(h.all[who])
	h.all[who] = append(h.all[who], interval{from: time.Now(), what: what})
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all[who][i].to = time.Now()
	}
}

// during returns the intervals of a worker or Redis that overlap a time.
func (h *history) during(who int, from, to time.Time) (all []interval) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, i := range h.all[who] {
		if i.overlaps(from, to) {
			all = append(all, i)
		}
	}
	return all
}
