package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
)

// outage is how long Redis is unreachable in the longest of these tests; make e2e uses
// 30 s.
var outage = flag.Duration("outage", 5*time.Second, "how long Redis is unreachable")

const (
	// maxLines is how many lines a worker may log in an outage: each component logs it
	// once, not every second.
	maxLines = 25
	// maxCPU is how much CPU time a worker may use: about a second for the job, and
	// almost none while it waits. A worker that spins uses more.
	maxCPU = 4 * time.Second
)

// TestRedisTrouble breaks Redis during a job. The worker logs it, waits, and
// continues: every token is sent once. A producer gets an error that says what is wrong.
func TestRedisTrouble(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		breakIt, restore func(*rig)
		lasts            time.Duration
		works            bool   // the producer's command succeeds
		wantErr          string // otherwise its error contains this
	}{
		"a restart": {
			breakIt: func(r *rig) { r.server.Kill() }, restore: func(r *rig) { r.server.Restart(r.T) }, lasts: 500 * time.Millisecond,
			wantErr: "refused",
		},
		"an outage": {
			breakIt: func(r *rig) { r.server.Kill() }, restore: func(r *rig) { r.server.Restart(r.T) }, lasts: *outage,
			wantErr: "refused",
		},
		"a frozen Redis": {
			breakIt: func(r *rig) { r.server.Pause(r.T) }, restore: func(r *rig) { r.server.Resume(r.T) }, lasts: *outage,
			wantErr: "timeout",
		},
		"flushed scripts": {
			breakIt: func(r *rig) { r.redis(r.rdb.ScriptFlush(r.Context())) }, restore: func(r *rig) { r.redis(r.rdb.ScriptFlush(r.Context())) },
			lasts: 200 * time.Millisecond, works: true,
		},
		"no memory left": {
			breakIt: func(r *rig) {
				r.redis(r.rdb.ConfigSet(r.Context(), "maxmemory-policy", "noeviction"))
				r.redis(r.rdb.ConfigSet(r.Context(), "maxmemory", "1"))
			},
			restore: func(r *rig) { r.redis(r.rdb.ConfigSet(r.Context(), "maxmemory", "0")) },
			lasts:   3 * time.Second, wantErr: "maxmemory",
		},
		"a read-only replica": {
			breakIt: func(r *rig) { r.redis(r.rdb.ReplicaOf(r.Context(), "127.0.0.1", "1")) },
			restore: func(r *rig) { r.redis(r.rdb.ReplicaOf(r.Context(), "NO", "ONE")) },
			lasts:   3 * time.Second, wantErr: "replica",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newRig(t, smallRequests(), "--latency", "150ms").checkFault(redisFault{c.breakIt, c.restore, c.lasts, c.works, c.wantErr, 0})
		})
	}
}

// TestSentinelFailover kills the master during a job. Replication is asynchronous: the
// master's last writes may be lost, so tokens whose requests were just recorded may be
// sent again.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t)
	r := newRigOn(t, &rig{rdb: s.Client(t)}, s.URL(), smallRequests(), "--latency", "150ms")
	var old *redistest.Server
	r.checkFault(redisFault{
		breakIt: func(*rig) { old = s.Failover(t) }, restore: func(*rig) { old.Restart(t) }, lasts: time.Second, works: true,
		twice: 64 * 20,
	})
}

// smallRequests makes a job take longer.
func smallRequests() string { return strings.Replace(settings, "rate: 0", "rate: 0, batch: 20", 1) }

// redisFault is a fault of Redis.
type redisFault struct {
	breakIt, restore func(*rig)
	lasts            time.Duration
	works            bool   // the producer's command succeeds
	wantErr          string // otherwise its error contains this
	twice            int    // the most tokens that may be sent twice
}

// checkFault breaks Redis during a job and checks that the worker and producers recover.
func (r *rig) checkFault(c redisFault) {
	r.Helper()
	const n = 20_000
	r.enqueueMany("before", n)
	w := r.worker()
	r.await("some of the job being sent", func() bool { return r.status("before").Delivered > 0 })
	printed := w.printed.Load()
	c.breakIt(r)
	during := []string{"send", "--app", "shop", "--target", "huawei:IQduring", "--title", "Hi", "--body", "there", "--id", "during"}
	code, errs := r.try(during...)
	if c.works && code != 0 || !c.works && (code != 1 || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, c.wantErr)) {
		r.Errorf("the producer's exit code is %d and its error %q; want one line with %q", code, errs, c.wantErr)
	}
	wait := time.NewTimer(c.lasts)
	<-wait.C
	printed = w.printed.Load() - printed
	if printed > maxLines {
		r.Errorf("the worker logged %d lines during the fault, want at most %d", printed, maxLines)
	}
	c.restore(r)
	begin := time.Now()
	// Repeat the command, whether the first one succeeded or not: the job is sent once.
	if code, errs := r.try(during...); code != 0 && code != 3 {
		r.Errorf("afterwards the producer's exit code is %d: %s", code, errs)
	}
	r.await("the job's end", func() bool { return r.status("before").State == "done" && r.status("during").State == "done" })
	took := time.Since(begin)
	if got := r.seen(); got.Distinct != n+1 || got.Duplicates > int64(c.twice) {
		r.Errorf("the vendor saw %d tokens and %d duplicates, want %d once each", got.Distinct, got.Duplicates, n+1)
	}
	if err := w.stop(syscall.SIGTERM); err != nil {
		r.Errorf("SIGTERM: %v, want exit 0", err)
	}
	used := w.cmd.ProcessState.UserTime() + w.cmd.ProcessState.SystemTime()
	if used > maxCPU {
		r.Errorf("the worker used %s of CPU time, want at most %s", used, maxCPU)
	}
	r.Logf("finished %.1f s after Redis was restored; %d lines were logged during the fault, %s of CPU time were used", took.Seconds(), printed, used)
}

// redis fails the test if a Redis command of the test failed.
func (r *rig) redis(cmd redis.Cmder) {
	r.Helper()
	if err := cmd.Err(); err != nil {
		r.Fatal(err)
	}
}

// enqueueMany enqueues a job of n tokens at Huawei.
func (r *rig) enqueueMany(id string, n int, more ...string) {
	r.Helper()
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "huawei,IQ%0128d\n", i)
	}
	args := append([]string{"send", "--app", "shop", "--targets", "-", "--title", "Hi", "--body", "there", "--id", id, "--json"}, more...)
	if code, out := r.run(&b, "enqueue", args...); code != 0 {
		r.Fatalf("send: exit %d: %s", code, out)
	}
}

// try runs the enqueue command and returns its exit code and stderr.
func (r *rig) try(args ...string) (int, string) {
	r.Helper()
	cmd := exec.Command(filepath.Join(bin, "enqueue"), append(args, "--config", r.config)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), errs.String()
}
