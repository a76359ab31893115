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

// outage is how long Redis is away in the longest of these tests; make e2e runs
// it with 30 s.
var outage = flag.Duration("outage", 5*time.Second, "how long Redis is away")

const (
	// talk is how many lines a worker may log in an outage: what it says is said
	// once by each of its parts, not every second.
	talk = 25
	// cpu is how much of one core it may use, all in all: a second for the job,
	// and next to nothing while it waits. One that spins uses more at once.
	cpu = 4 * time.Second
)

// TestRedisTrouble breaks Redis in the middle of a job. The worker waits, says
// so, and goes on: every token is sent once. A producer is told what is wrong.
func TestRedisTrouble(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm, heal func(*rig)
		lasts      time.Duration
		works      bool   // a producer notices nothing
		tells      string // else what it is told
	}{
		"a restart": {
			harm: func(r *rig) { r.server.Kill() }, heal: func(r *rig) { r.server.Restart(r.T) }, lasts: 500 * time.Millisecond,
			tells: "refused",
		},
		"an outage": {
			harm: func(r *rig) { r.server.Kill() }, heal: func(r *rig) { r.server.Restart(r.T) }, lasts: *outage,
			tells: "refused",
		},
		"a Redis that sleeps": {
			harm: func(r *rig) { r.server.Pause(r.T) }, heal: func(r *rig) { r.server.Resume(r.T) }, lasts: *outage,
			tells: "timeout",
		},
		"scripts that are forgotten": {
			harm: func(r *rig) { r.redis(r.rdb.ScriptFlush(r.Context())) }, heal: func(r *rig) { r.redis(r.rdb.ScriptFlush(r.Context())) },
			lasts: 200 * time.Millisecond, works: true,
		},
		"no memory left": {
			harm: func(r *rig) {
				r.redis(r.rdb.ConfigSet(r.Context(), "maxmemory-policy", "noeviction"))
				r.redis(r.rdb.ConfigSet(r.Context(), "maxmemory", "1"))
			},
			heal:  func(r *rig) { r.redis(r.rdb.ConfigSet(r.Context(), "maxmemory", "0")) },
			lasts: 3 * time.Second, tells: "maxmemory",
		},
		"a replica that takes no writes": {
			harm:  func(r *rig) { r.redis(r.rdb.ReplicaOf(r.Context(), "127.0.0.1", "1")) },
			heal:  func(r *rig) { r.redis(r.rdb.ReplicaOf(r.Context(), "NO", "ONE")) },
			lasts: 3 * time.Second, tells: "replica",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newRig(t, smallRequests(), "--latency", "150ms").survives(trouble{c.harm, c.heal, c.lasts, c.works, c.tells, 0})
		})
	}
}

// TestSentinelFailover kills the master in the middle of a job. Replication is
// not synchronous: what the master had taken in its last instant may be gone,
// so that tokens of requests just recorded are sent again.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t)
	r := newRigOn(t, &rig{rdb: s.Client(t)}, s.URL(), smallRequests(), "--latency", "150ms")
	var old *redistest.Server
	r.survives(trouble{
		harm: func(*rig) { old = s.Failover(t) }, heal: func(*rig) { old.Restart(t) }, lasts: time.Second, works: true,
		twice: 64 * 20,
	})
}

// smallRequests makes a job last.
func smallRequests() string { return strings.Replace(settings, "rate: 0", "rate: 0, batch: 20", 1) }

// trouble is something that happens to Redis.
type trouble struct {
	harm, heal func(*rig)
	lasts      time.Duration
	works      bool   // a producer notices nothing
	tells      string // else what it is told
	twice      int    // the most tokens that may be sent twice
}

// survives lets it happen in the middle of a job.
func (r *rig) survives(c trouble) {
	r.Helper()
	const n = 20_000
	r.enqueueMany("before", n)
	w := r.worker()
	r.await("some of the job being sent", func() bool { return r.status("before").Delivered > 0 })
	said := w.said.Load()
	c.harm(r)
	during := []string{"send", "--app", "shop", "--target", "huawei:IQduring", "--title", "Hi", "--body", "there", "--id", "during"}
	code, errs := r.try(during...)
	if c.works && code != 0 || !c.works && (code != 1 || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, c.tells)) {
		r.Errorf("a producer is told, with exit code %d: %q; want one line with %q", code, errs, c.tells)
	}
	rest := time.NewTimer(c.lasts)
	<-rest.C
	said = w.said.Load() - said
	if said > talk {
		r.Errorf("the worker logged %d lines meanwhile, want at most %d", said, talk)
	}
	c.heal(r)
	begin := time.Now()
	// The same again, whatever became of the first: it is sent once.
	if code, errs := r.try(during...); code != 0 && code != 3 {
		r.Errorf("afterwards a producer is told, with exit code %d: %s", code, errs)
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
	if used > cpu {
		r.Errorf("the worker used %s of a core, all in all; want at most %s", used, cpu)
	}
	r.Logf("done %.1f s after Redis was well; %d lines were logged in the trouble, %s of a core were used", took.Seconds(), said, used)
}

// redis checks what a command of the test's own to Redis answered.
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

// try runs the command that enqueues and answers its exit code and stderr.
func (r *rig) try(args ...string) (int, string) {
	r.Helper()
	cmd := exec.Command(filepath.Join(bin, "enqueue"), append(args, "--config", r.config)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), errs.String()
}
