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
	// patience is how long everything may take to end once nothing breaks any
	// more: a request that hangs, every backoff, and a dead worker's lease.
	patience = 4 * time.Minute
)

// stage is where it all happens.
type stage struct {
	*testing.T
	server  *redistest.Server
	rdb     *redis.Client
	book    *ledger.Store
	sim     *simulator.Simulator
	witness *witness
	history history
	hands   []*hand
	dir     string
	begun   time.Time
	doing   sync.WaitGroup // deeds and producers at work

	mu      sync.Mutex
	counts  map[string]int // of what happened
	wrong   []string
	done    map[deed]int
	enqueue map[string]bool // waves that are enqueued
}

func newStage(t *testing.T, seed uint64) *stage {
	t.Helper()
	st := &stage{
		T: t, server: redistest.Start(t, redistest.AppendOnly()), witness: newWitness(), dir: t.TempDir(),
		counts: map[string]int{}, done: map[deed]int{}, enqueue: map[string]bool{},
	}
	st.rdb = st.server.Client(t)
	st.book = &ledger.Store{Redis: st.rdb}
	st.sim = simulator.New(simulator.Options{Seed: seed, Watch: st.witness.watch, Latency: 20 * time.Millisecond})
	for i := range workers {
		url, stop, err := st.sim.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = stop(context.Background()) })
		st.witness.workers[strings.TrimPrefix(url, "http://")] = i
		h := &hand{config: filepath.Join(st.dir, fmt.Sprintf("worker-%d.yaml", i)), log: filepath.Join(st.dir, fmt.Sprintf("worker-%d.log", i))}
		h.network = redistest.NewProxy(t, st.server.Addr())
		address := strings.Replace(redistest.URL(st.rdb), st.server.Addr(), h.network.Addr(), 1)
		if err := os.WriteFile(h.config, []byte(settings(address, url)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := h.start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.stop(syscall.SIGKILL, patience) })
		st.hands = append(st.hands, h)
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

// note counts something for the report.
func (st *stage) note(what string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.counts[what]++
}

func (st *stage) fault(format string, args ...any) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.wrong = append(st.wrong, fmt.Sprintf(format, args...))
}

// run does what the plan says while the waves come in.
func (st *stage) run(p plan, waves []*wave) {
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

// until waits for a time since the beginning; meanwhile it starts workers that
// ended by themselves, and looks into the ledgers.
func (st *stage) until(at time.Duration, waves []*wave) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for time.Since(st.begun) < at {
		<-tick.C
		st.revive()
		st.balanced(waves)
	}
}

// revive starts workers that ended by themselves, as whatever runs them would.
func (st *stage) revive() {
	for i, h := range st.hands {
		if !h.mu.TryLock() {
			continue
		}
		if !h.down && h.ended() {
			code := h.cmd.ProcessState.ExitCode()
			if code == 2 {
				st.Fatalf("worker %d does not like its configuration: see %s", i, st.keepLogs())
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

// withoutRedis tells whether a worker had no Redis at some time since then.
func (st *stage) withoutRedis(worker int, since time.Time) bool {
	return len(st.history.during(theRedis, since, time.Now())) > 0 ||
		slices.ContainsFunc(st.history.during(worker, since, time.Now()), func(i interval) bool { return i.what == cutOff })
}

// balanced looks into a few ledgers while everything goes on.
func (st *stage) balanced(waves []*wave) {
	ctx, cancel := context.WithTimeout(st.Context(), time.Second)
	defer cancel()
	for _, w := range waves {
		if w.kind == small || time.Since(st.begun) < w.at {
			continue
		}
		s, err := st.book.Status(ctx, w.name)
		if err != nil {
			continue // not there yet, or Redis is away
		}
		st.note("looks into ledgers")
		if sum := s.Delivered + s.Invalid + s.Dropped + s.Expired + s.Dead + s.Canceled + s.Pending; sum != s.Accepted || s.Pending < 0 {
			st.fault("the ledger does not balance: %+v", s)
		}
	}
}

// perform does one deed. Those to workers go on beside the next ones.
func (st *stage) perform(e event) {
	switch e.deed {
	case kill, term, freeze, network:
		h := st.hands[e.worker]
		if !h.mu.TryLock() {
			return // something is being done to it
		}
		st.doing.Go(func() {
			defer h.mu.Unlock()
			st.harm(h, e)
		})
	case redisKill:
		end := st.history.begin(theRedis, "away")
		st.server.Kill()
		pause(e.length)
		st.server.Restart(st.T)
		end()
	case redisFreeze:
		end := st.history.begin(theRedis, "asleep")
		st.server.Pause(st.T)
		pause(e.length)
		st.server.Resume(st.T)
		end()
	case scriptFlush:
		_ = st.rdb.ScriptFlush(st.Context()).Err() // Redis may be away
	case misbehave:
		if err := st.sim.SetFaults(e.faults); err != nil {
			st.Fatal(err)
		}
	case revoke:
		st.sim.RevokeAccessTokens(e.vendor)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.done[e.deed]++
}

// harm does something to a worker, whose lock is held.
func (st *stage) harm(h *hand, e event) {
	switch e.deed {
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
		h.stop(syscall.SIGKILL, patience)
		end()
	}
	pause(e.length)
	if err := h.start(); err != nil {
		st.fault("worker %d: %v", e.worker, err)
	}
}

// faultsOf are those that a network has with a worker's commands.
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

// terminate ends a worker by SIGTERM: with exit code 0, unless it had not
// started yet, or Redis was not there to take its tasks back.
func (st *stage) terminate(h *hand, i int) {
	begin := time.Now()
	end := st.history.begin(i, "terminated")
	code, ok := h.stop(syscall.SIGTERM, stopBound)
	end()
	excused := st.withoutRedis(i, begin.Add(-5*time.Second))
	switch {
	case ok && code == 0:
		st.note("clean ends on SIGTERM")
	case excused:
		st.note("unclean ends on SIGTERM while Redis was away")
	case !ok:
		st.fault("worker %d did not end within %s of SIGTERM", i, stopBound)
	default:
		st.fault("worker %d ended with exit code %d on SIGTERM", i, code)
	}
}

// produce enqueues a wave as a user would: again and again with the same ids
// until the command says that it is done, or was done before.
func (st *stage) produce(w *wave) {
	pause(w.at - time.Since(st.begun))
	w.expires = time.Now().Add(5 * time.Second)
	for {
		w.tries++
		cmd, err := w.command(st.hands[0].config)
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
				return // it came too late, which is no fault
			}
			st.fault("%s: enqueue ended with exit code %d: %s", w.name, code, errs.String())
			return
		}
		pause(300 * time.Millisecond)
	}
}

// cancel cancels a wave that has just begun.
func (st *stage) cancel(w *wave) {
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
			return // it was quicker
		}
		pause(100 * time.Millisecond)
	}
}

// pause lets time pass.
func pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	<-t.C
}
