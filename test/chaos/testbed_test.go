package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/demo"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/simulator"
)

const (
	// requestTimeout and shutdownTimeout are the workers' settings.
	requestTimeout  = 3 * time.Second
	shutdownTimeout = 5 * time.Second
	// drainTimeout is the longest time to drain after the last fault: a hanging
	// request, every backoff, and the leases of a dead worker.
	drainTimeout = 4 * time.Minute
)

// testbed has the workers, Redis and the vendors of the test.
type testbed struct {
	*testing.T
	server    *redistest.Server
	rdb       *redis.Client
	book      *ledger.Store
	sim       *simulator.Simulator
	recorder  *recorder
	history   history
	processes []*workerProcess
	dir       string
	begun     time.Time
	doing     sync.WaitGroup // running actions and producers

	mu      sync.Mutex
	counts  map[string]int // events for the report
	wrong   []string
	done    map[action]int
	enqueue map[string]bool // enqueued waves
}

func newTestbed(t *testing.T, seed uint64) *testbed {
	t.Helper()
	st := &testbed{
		T: t, server: redistest.Start(t, redistest.AppendOnly()), recorder: newRecorder(), dir: t.TempDir(),
		counts: map[string]int{}, done: map[action]int{}, enqueue: map[string]bool{},
	}
	st.rdb = st.server.Client(t)
	st.book = &ledger.Store{Redis: st.rdb}
	st.sim = simulator.New(simulator.Options{Seed: seed, Watch: st.recorder.watch, Latency: 20 * time.Millisecond})
	for i := range workerCount {
		url, stop, err := st.sim.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = stop(context.Background()) })
		st.recorder.workers[strings.TrimPrefix(url, "http://")] = i
		h := &workerProcess{config: filepath.Join(st.dir, fmt.Sprintf("worker-%d.yaml", i)), log: filepath.Join(st.dir, fmt.Sprintf("worker-%d.log", i))}
		h.network = redistest.NewProxy(t, st.server.Addr())
		address := strings.Replace(redistest.URL(st.rdb), st.server.Addr(), h.network.Addr(), 1)
		if err := os.WriteFile(h.config, []byte(settings(address, url)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := h.start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.stop(syscall.SIGKILL, drainTimeout) })
		st.processes = append(st.processes, h)
	}
	st.begun = time.Now()
	return st
}

// settings are the demo's, which have every vendor, made quick.
func settings(redisURL, url string) string {
	return strings.NewReplacer(
		"redis://127.0.0.1:6379/0", redisURL,
		"log: {level: warn, format: console}", fmt.Sprintf("log: {level: info, format: json}\nworker: {concurrency: 8, shutdown_timeout: %s}", shutdownTimeout),
		"first: 500ms, max: 10s", "first: 200ms, max: 2s",
	).Replace(demo.Settings(url, "127.0.0.1:0", fmt.Sprintf("timeout: %s", requestTimeout), "batch: 50")) // small requests make many of them
}

// note counts an event for the report.
func (st *testbed) note(what string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.counts[what]++
}

func (st *testbed) fault(format string, args ...any) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.wrong = append(st.wrong, fmt.Sprintf(format, args...))
}

// run executes the plan while the waves are enqueued.
func (st *testbed) run(p plan, waves []*wave) {
	for _, w := range waves {
		st.doing.Go(func() { st.produce(w) })
	}
	for _, e := range p {
		st.until(e.at, waves)
		st.perform(e)
	}
	st.until(*duration, waves)
	if err := st.sim.SetFaults(nil); err != nil {
		st.Fatal(err)
	}
	st.doing.Wait()
}

// until waits for a time since the start. While it waits, it restarts workers that
// ended by themselves, and checks the ledgers.
func (st *testbed) until(at time.Duration, waves []*wave) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for time.Since(st.begun) < at {
		<-tick.C
		st.restartEnded()
		st.checkBalances(waves)
	}
}

// restartEnded restarts workers that ended by themselves, as a supervisor would.
func (st *testbed) restartEnded() {
	for i, h := range st.processes {
		if !h.mu.TryLock() {
			continue
		}
		if !h.down && h.ended() {
			code := h.cmd.ProcessState.ExitCode()
			if code == 2 {
				st.Fatalf("worker %d refuses its configuration: see %s", i, st.keepLogs())
			}
			if code != 1 || !st.withoutRedis(i, time.Now().Add(-15*time.Second)) {
				st.fault("worker %d ended by itself with exit code %d", i, code)
			}
			st.note("workers that could not start without Redis")
			if err := h.start(); err != nil {
				st.fault("worker %d: %v", i, err)
			}
		}
		h.mu.Unlock()
	}
}

// withoutRedis reports whether a worker could not reach Redis at some time since then.
func (st *testbed) withoutRedis(worker int, since time.Time) bool {
	return len(st.history.during(redisServer, since, time.Now())) > 0 ||
		slices.ContainsFunc(st.history.during(worker, since, time.Now()), func(i interval) bool { return i.what == cutOff })
}

// checkBalances checks some ledgers during the test.
func (st *testbed) checkBalances(waves []*wave) {
	ctx, cancel := context.WithTimeout(st.Context(), time.Second)
	defer cancel()
	for _, w := range waves {
		if w.kind == small || time.Since(st.begun) < w.at {
			continue
		}
		s, err := st.book.Status(ctx, w.name)
		if err != nil {
			continue // not enqueued yet, or Redis cannot be reached
		}
		st.note("checked ledgers")
		if sum := s.Delivered + s.Invalid + s.Dropped + s.Expired + s.Dead + s.Canceled + s.Pending; sum != s.Accepted || s.Pending < 0 {
			st.fault("the ledger does not balance: %+v", s)
		}
	}
}

// perform executes an action. Actions on workers run concurrently with the next ones.
func (st *testbed) perform(e event) {
	switch e.action {
	case kill, term, freeze, network:
		h := st.processes[e.worker]
		if !h.mu.TryLock() {
			return // it is being broken already
		}
		st.doing.Go(func() {
			defer h.mu.Unlock()
			st.breakWorker(h, e)
		})
	case redisKill:
		end := st.history.begin(redisServer, "killed")
		st.server.Kill()
		pause(e.length)
		st.server.Restart(st.T)
		end()
	case redisFreeze:
		end := st.history.begin(redisServer, "frozen")
		st.server.Pause(st.T)
		pause(e.length)
		st.server.Resume(st.T)
		end()
	case scriptFlush:
		_ = st.rdb.ScriptFlush(st.Context()).Err() // Redis may be unreachable
	case changeFaults:
		if err := st.sim.SetFaults(e.faults); err != nil {
			st.Fatal(err)
		}
	case revoke:
		st.sim.RevokeAccessTokens(e.vendor)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.done[e.action]++
}

// breakWorker breaks a worker, whose mu is locked.
func (st *testbed) breakWorker(h *workerProcess, e event) {
	switch e.action {
	case freeze:
		end := st.history.begin(e.worker, "frozen")
		defer end()
		_ = h.cmd.Process.Signal(syscall.SIGSTOP)
		pause(e.length)
		_ = h.cmd.Process.Signal(syscall.SIGCONT)
		return
	case network:
		end := st.history.begin(e.worker, cutOff)
		defer end()
		h.network.Break(faultsOf(e))
		if e.how == slow {
			h.network.Delay(300 * time.Millisecond)
		}
		pause(e.length)
		h.network.Break(nil)
		h.network.Delay(0)
		return
	case term:
		st.terminate(h, e.worker)
	default:
		end := st.history.begin(e.worker, "killed")
		h.stop(syscall.SIGKILL, drainTimeout)
		end()
	}
	pause(e.length)
	if err := h.start(); err != nil {
		st.fault("worker %d: %v", e.worker, err)
	}
}

// faultsOf returns the faults of a network event.
func faultsOf(e event) redistest.Faults {
	switch e.how {
	case cut:
		return func(int, string) redistest.Fault { return redistest.LoseCommand }
	case lossy:
		return redistest.Sometimes(uint64(e.at), 0.05)
	case slow:
	}
	return nil
}

// terminate ends a worker by SIGTERM. The exit code must be 0, unless Redis could
// not be reached to start or to requeue its tasks.
func (st *testbed) terminate(h *workerProcess, i int) {
	begin := time.Now()
	end := st.history.begin(i, "terminated")
	code, ok := h.stop(syscall.SIGTERM, stopBound)
	end()
	unreachable := st.withoutRedis(i, begin.Add(-5*time.Second))
	switch {
	case ok && code == 0:
		st.note("clean ends on SIGTERM")
	case unreachable:
		st.note("failed ends on SIGTERM while Redis was unreachable")
	case !ok:
		st.fault("worker %d did not end within %s of SIGTERM", i, stopBound)
	default:
		st.fault("worker %d ended with exit code %d on SIGTERM", i, code)
	}
}

// produce enqueues a wave as a user would: it repeats the command with the same ids
// until it succeeds or reports a duplicate.
func (st *testbed) produce(w *wave) {
	pause(w.at - time.Since(st.begun))
	w.expires = time.Now().Add(5 * time.Second)
	for {
		w.tries++
		cmd, err := w.command(st.processes[0].config)
		if err != nil {
			st.fault("%s: %v", w.name, err)
			return
		}
		var errs strings.Builder
		cmd.Stderr = &errs
		_ = cmd.Run()
		switch code := cmd.ProcessState.ExitCode(); code {
		case 0, 3:
			st.mu.Lock()
			st.enqueue[w.name] = true
			st.mu.Unlock()
			if w.kind == canceled {
				st.cancel(w)
			}
			return
		case 1:
			st.note("enqueues that failed and were repeated")
		default:
			if w.kind == expiring && time.Now().After(w.expires) {
				return // it has expired before it was enqueued
			}
			st.fault("%s: enqueue ended with exit code %d: %s", w.name, code, errs.String())
			return
		}
		pause(300 * time.Millisecond)
	}
}

// cancel cancels a wave shortly after it was enqueued.
func (st *testbed) cancel(w *wave) {
	pause(500 * time.Millisecond)
	for {
		cmd := st.command("cancel", w.name, "--json")
		out, err := cmd.Output()
		var s ledger.Status
		if err == nil && json.Unmarshal(out, &s) == nil {
			w.canceled = time.Now()
			return
		}
		if s, err := st.book.Status(st.Context(), w.name); err == nil && s.State == "done" {
			return // it ended before the command
		}
		pause(100 * time.Millisecond)
	}
}

// pause waits.
func pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	<-t.C
}
