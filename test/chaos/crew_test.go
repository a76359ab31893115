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

// workers is how many there are.
const workers = 3

// stopBound is the longest that a worker may take to end on SIGTERM: its
// shutdown timeout, and the little that it does afterwards.
const stopBound = shutdownTimeout + 5*time.Second

// hand is one worker: a process, or those that follow one another.
type hand struct {
	config, log string
	network     *redistest.Proxy // between it and Redis

	mu   sync.Mutex // held while something is done to it
	down bool       // it is not to run now
	cmd  *exec.Cmd
	gone chan struct{} // closed when cmd has ended
}

// start runs the worker's process.
func (h *hand) start() error {
	out, err := os.OpenFile(h.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd, gone := exec.Command(filepath.Join(bin, "worker"), "--config", h.config), make(chan struct{})
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return err
	}
	unbind, err := redistest.Bind(cmd.Process.Pid)
	if err != nil {
		return err
	}
	go func() {
		defer close(gone)
		_ = cmd.Wait() // its state says how
		unbind()
	}()
	h.cmd, h.gone, h.down = cmd, gone, false
	return nil
}

// ended tells whether the process is gone.
func (h *hand) ended() bool {
	select {
	case <-h.gone:
		return true
	default:
		return false
	}
}

// stop ends the process by a signal and answers its exit code; ok is false when
// it took longer than bound, and was killed.
func (h *hand) stop(sig syscall.Signal, bound time.Duration) (code int, ok bool) {
	h.down = true
	_ = h.cmd.Process.Signal(sig) // gone already, perhaps
	t := time.NewTimer(bound)
	defer t.Stop()
	select {
	case <-h.gone:
		return h.cmd.ProcessState.ExitCode(), true
	case <-t.C:
	}
	_ = h.cmd.Process.Kill()
	<-h.gone
	return -1, false
}

// complaints are what a worker must never say.
func (h *hand) complaints() []string {
	text, err := os.ReadFile(h.log)
	if err != nil {
		return []string{err.Error()}
	}
	var all []string
	for _, word := range []string{"panic:", "panicked", "fatal error:", "DATA RACE", "unreadable"} {
		if at := bytes.Index(text, []byte(word)); at >= 0 {
			all = append(all, fmt.Sprintf("%s says: %.300s", h.log, text[at:]))
		}
	}
	return all
}

// interval is a time in which somebody was not well.
type interval struct {
	from, to time.Time // to is zero while it lasts
	what     string
}

func (i interval) meets(from, to time.Time) bool {
	return !i.from.After(to) && (i.to.IsZero() || !i.to.Before(from))
}

// history is when who was not well: workers by their number, Redis as -1.
type history struct {
	mu  sync.Mutex
	all map[int][]interval
}

const theRedis = -1

// begin notes that something begins, and returns what notes its end.
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

// during is what was wrong with somebody in a time, if anything was.
func (h *history) during(who int, from, to time.Time) (all []interval) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, i := range h.all[who] {
		if i.meets(from, to) {
			all = append(all, i)
		}
	}
	return all
}
