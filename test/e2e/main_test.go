package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/simulator"
)

// timeout bounds waits for processes on a busy machine.
const timeout = 2 * time.Minute

var bin string // the folder of the built commands

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "postrider-e2e")
	if err != nil {
		panic(err)
	}
	bin = dir
	build := exec.Command("go", "build", "-o", dir, "../../cmd/...")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// rig is a redis-server, a simulator process and a configuration.
type rig struct {
	*testing.T
	server *redistest.Server // nil if there are several
	rdb    *redis.Client
	sim    string
	config string
	all    simulator.Report // the last one that seen read
}

func newRig(t *testing.T, settings string, simFlags ...string) *rig {
	t.Helper()
	server := redistest.Start(t, redistest.AppendOnly())
	rdb := server.Client(t)
	return newRigOn(t, &rig{server: server, rdb: rdb}, redistest.URL(rdb), settings, simFlags...)
}

// newRigOn completes a rig that has a Redis and may have a simulator.
func newRigOn(t *testing.T, r *rig, redisURL, settings string, simFlags ...string) *rig {
	t.Helper()
	r.T = t
	if r.sim == "" {
		sim := r.start("simulator", append([]string{"--listen", "127.0.0.1:0"}, simFlags...)...)
		r.sim = sim.await(`http://127\.0\.0\.1:\d+`)
	}
	r.config = filepath.Join(t.TempDir(), "postrider.yaml")
	text := strings.NewReplacer("%REDIS%", redisURL, "%SIM%", r.sim).Replace(settings)
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

// process is a running command whose output is watched.
type process struct {
	*testing.T
	cmd     *exec.Cmd
	lines   chan string
	printed atomic.Int64 // number of lines
	exited  chan error
}

// start starts a command, which is killed when the test ends if it still runs.
func (r *rig) start(name string, args ...string) *process {
	r.Helper()
	p := &process{T: r.T, cmd: exec.Command(filepath.Join(bin, name), args...), lines: make(chan string, 1000), exited: make(chan error, 1)}
	out, in := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = in, in
	if err := p.cmd.Start(); err != nil {
		r.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.printed.Add(1)
			select {
			case p.lines <- s.Text():
			default: // the test no longer reads the output
			}
		}
	}()
	go func() {
		p.exited <- p.cmd.Wait()
		_ = in.Close()
	}()
	r.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// await reads the process's output up to a match.
func (p *process) await(pattern string) string {
	p.Helper()
	re, deadline := regexp.MustCompile(pattern), time.After(timeout)
	for {
		select {
		case line, more := <-p.lines:
			if !more {
				p.Fatalf("%s ended without printing %s", p.cmd.Path, pattern)
			}
			if got := re.FindString(line); got != "" {
				return got
			}
		case <-deadline:
			p.Fatalf("%s did not print %s", p.cmd.Path, pattern)
		}
	}
}

// stop sends a signal, waits until the process ends, and returns its error.
func (p *process) stop(sig syscall.Signal) error {
	p.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.Fatal(err)
	}
	select {
	case err := <-p.exited:
		return err
	case <-time.After(timeout):
		p.Fatalf("%s did not end on %v", p.cmd.Path, sig)
		return nil
	}
}

// worker starts a worker and waits until it is ready.
func (r *rig) worker() *process {
	r.Helper()
	p := r.start("worker", "--config", r.config)
	p.await(`working`)
	return p
}

// run runs a command and returns its exit code and stdout.
func (r *rig) run(stdin io.Reader, name string, args ...string) (int, string) {
	r.Helper()
	cmd := exec.Command(filepath.Join(bin, name), append(args, "--config", r.config)...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		r.Fatal(err)
	}
	if errs.Len() > 0 {
		r.Logf("%s %s: %s", name, strings.Join(args, " "), errs.String())
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// status reads a job's ledger with the command.
func (r *rig) status(job string) ledger.Status {
	r.Helper()
	code, out := r.run(nil, "enqueue", "status", job, "--json")
	var st ledger.Status
	if err := json.Unmarshal([]byte(out), &st); err != nil || code != 0 {
		r.Fatalf("status %s: exit %d, %v: %s", job, code, err, out)
	}
	if sum := st.Delivered + st.Invalid + st.Dropped + st.Expired + st.Dead + st.Canceled + st.Pending; sum != st.Accepted {
		r.Fatalf("the ledger of %s does not balance: %+v", job, st)
	}
	return st
}

// await waits until done returns true, and fails the test after timeout.
func (r *rig) await(what string, done func() bool) {
	r.Helper()
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	deadline := time.After(timeout)
	for !done() {
		select {
		case <-t.C:
		case <-deadline:
			r.Fatalf("timeout while waiting for: %s", what)
		}
	}
}

// seen returns the simulator's report of Huawei.
func (r *rig) seen() simulator.VendorReport {
	r.Helper()
	resp, err := http.Get(r.sim + "/_simulator/report") //nolint:forbidigo // loopback, in a test
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	var report simulator.Report
	if err := json.NewDecoder(resp.Body).Decode(&report); err != nil {
		r.Fatal(err)
	}
	if n := report.Violations(); n > 0 {
		r.Fatalf("%d violations of the vendors' protocols: %+v", n, report)
	}
	r.all = report
	return report.Vendors["huawei"]
}
