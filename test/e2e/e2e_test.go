package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// campaign is the size of the campaign; make e2e uses a million.
var campaign = flag.Int("campaign", 50_000, "number of tokens of the campaign")

const settings = `
redis: {url: "%REDIS%"}
http: {listen: "127.0.0.1:0"}
log: {format: json}
worker: {shutdown_timeout: 11s}
apps:
  shop:
    huawei: {client_id: "100001", client_secret: demo-secret, base_url: "%SIM%", auth_url: "%SIM%/oauth2/v3/token", rate: 0}
`

// TestCampaign sends a large CSV: the vendor gets every token once, and the ledger balances.
func TestCampaign(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings)
	file := filepath.Join(t.TempDir(), "tokens.csv")
	var b bytes.Buffer
	for i := range *campaign {
		fmt.Fprintf(&b, "huawei,IQ%0128d\n", i)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	code, out := r.run(nil, "enqueue", "send", "--app", "shop", "--targets", file, "--title", "Hi", "--body", "there", "--priority", "bulk", "--id", "campaign", "--json")
	enqueued := time.Since(start)
	var sent push.Result
	if err := json.Unmarshal([]byte(out), &sent); err != nil || code != 0 || sent.Accepted != *campaign || sent.Chunks != (*campaign+999)/1000 {
		t.Fatalf("send: exit %d, %v: %s", code, err, out)
	}
	if st := r.status("campaign"); st.Pending != *campaign || st.State != "running" {
		t.Errorf("before the worker: %+v", st)
	}
	start = time.Now()
	w := r.worker()
	r.await("the campaign's end", func() bool { return r.status("campaign").State == "done" })
	drained := time.Since(start)
	if st := r.status("campaign"); st.Delivered != *campaign {
		t.Errorf("status: %+v, want all delivered", st)
	}
	got := r.seen()
	if got.Accepted != int64(*campaign) || got.Distinct != int64(*campaign) || got.Duplicates != 0 || got.Grants != 1 {
		t.Errorf("the vendor saw %d tokens, %d distinct, %d duplicates, %d grants; want %d once each and one grant",
			got.Accepted, got.Distinct, got.Duplicates, got.Grants, *campaign)
	}
	if err := w.stop(syscall.SIGTERM); err != nil {
		t.Errorf("SIGTERM: %v, want exit 0", err)
	}
	t.Logf("%d tokens: enqueued in %.2f s (%.0f/s), drained in %.2f s (%.0f/s)", *campaign,
		enqueued.Seconds(), float64(*campaign)/enqueued.Seconds(), drained.Seconds(), float64(*campaign)/drained.Seconds())
}

// TestTenThousandJobsWithOneMessageShareRequests covers jobs that the command packed
// and jobs that were enqueued one by one.
func TestTenThousandJobsWithOneMessageShareRequests(t *testing.T) {
	t.Parallel()
	const n = 10_000
	job := func(i int) push.Job {
		return push.Job{
			ID: fmt.Sprintf("order-%d", i), App: "shop", Message: push.Message{Title: "Sale", Body: "Today only"},
			Targets: map[string][]string{"huawei": {fmt.Sprintf("IQ%0128d", i)}},
		}
	}
	for name, enqueue := range map[string]func(*rig){
		"packed": func(r *rig) {
			var b bytes.Buffer
			for i := range n {
				if err := json.NewEncoder(&b).Encode(job(i)); err != nil {
					t.Fatal(err)
				}
			}
			code, out := r.run(&b, "enqueue", "send", "--jobs", "-")
			if lines := strings.Count(out, "\n"); code != 0 || lines != n {
				r.Fatalf("send --jobs: exit %d, %d lines", code, lines)
			}
		},
		"one by one": func(r *rig) {
			client, err := push.NewClient(r.rdb, push.Options{Vendors: registry.ForClient()})
			if err != nil {
				r.Fatal(err)
			}
			for i := range n {
				if _, err := client.Enqueue(r.Context(), job(i)); err != nil {
					r.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sends := int64(0)
			for range 3 { // on a busy machine, tasks may start so slowly that few share a request
				r := newRig(t, settings)
				enqueue(r)
				w := r.worker()
				r.await("every job's end", func() bool { return r.count("delivered") == n })
				got := r.seen()
				if got.Distinct != n || got.Duplicates != 0 {
					t.Errorf("the vendor saw %d tokens and %d duplicates, want %d once each", got.Distinct, got.Duplicates, n)
				}
				for _, i := range []int{0, 1, n / 2, n - 1} {
					if st := r.status(fmt.Sprintf("order-%d", i)); st.State != "done" || st.Delivered != 1 {
						t.Errorf("order-%d: %+v", i, st)
					}
				}
				if sends = got.Endpoints["send"]; sends <= 200 {
					return
				}
				if err := w.stop(syscall.SIGTERM); err != nil {
					t.Error(err)
				}
			}
			t.Errorf("%d requests, want at most 200", sends)
		})
	}
}

// count counts the single jobs whose ledger has the outcome.
func (r *rig) count(outcome string) int {
	r.Helper()
	code, n := outcome[:1], 0
	for it := r.rdb.Scan(r.Context(), 0, "postrider:job:*", 5000).Iterator(); it.Next(r.Context()); {
		v, err := r.rdb.Get(r.Context(), it.Val()).Result()
		if err != nil && err != redis.Nil { //nolint:errorlint // go-redis returns it bare
			r.Fatal(err)
		}
		if len(v) > 1 && v[1:2] == code {
			n++
		}
	}
	return n
}

// TestShutdownUnderLoad stops a worker during a job, with quick or slow requests in
// flight, and starts another one: requests in flight are finished and recorded, only
// other tokens are requeued, and no token is sent twice.
func TestShutdownUnderLoad(t *testing.T) {
	t.Parallel()
	for name, latency := range map[string]string{"quick requests": "50ms", "slow requests": "4s"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, strings.Replace(settings, "rate: 0", "rate: 0, batch: 200", 1), "--latency", latency)
			const n = 40_000
			r.enqueueMany("load", n)
			first := r.worker()
			r.await("some tokens are sent", func() bool { return r.seen().Accepted > 0 })
			start := time.Now()
			if err := first.stop(syscall.SIGTERM); err != nil {
				t.Errorf("SIGTERM under load: %v, want exit 0", err)
			}
			if took := time.Since(start); took > 15*time.Second {
				t.Errorf("the worker took %v to stop, want at most its shutdown timeout", took)
			}
			st, got := r.status("load"), r.seen()
			if st.Delivered == n || int64(st.Delivered) != got.Accepted {
				t.Errorf("%d tokens are delivered, and the vendor accepted %d; want the same number, and fewer than all", st.Delivered, got.Accepted)
			}
			for _, set := range []string{"active", "lease"} {
				if n := r.rdb.Exists(t.Context(), "asynq:{huawei:normal}:"+set).Val(); n != 0 {
					t.Errorf("the worker left %s tasks", set)
				}
			}
			r.worker()
			r.await("the job's end", func() bool { return r.status("load").State == "done" })
			if got := r.seen(); got.Distinct != n || got.Duplicates != 0 {
				t.Errorf("the vendor saw %d tokens and %d duplicates, want %d once each", got.Distinct, got.Duplicates, n)
			}
		})
	}
}

// TestReload changes a wrong secret while tasks wait for it.
func TestReload(t *testing.T) {
	t.Parallel()
	r := newRig(t, strings.Replace(settings, "demo-secret", "wrong-secret", 1))
	w := r.worker()
	if code, out := r.run(nil, "enqueue", "send", "--app", "shop", "--target", "huawei:IQ1", "--title", "Hi", "--body", "there", "--id", "waits"); code != 0 {
		t.Fatalf("send: exit %d: %s", code, out)
	}
	r.await("the grant is refused", func() bool { return r.rdb.ZCard(r.Context(), "asynq:{huawei:normal}:retry").Val() == 1 })
	if st := r.status("waits"); st.Pending != 1 {
		t.Fatalf("with a wrong secret: %+v, want the token kept", st)
	}
	bad, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, says string }{
		{"apps: {shop: {huawei: {nonsense: 1}}}", "the old one stays in force"},
		{strings.Replace(string(bad), "wrong-secret", "demo-secret", 1), "were read again"},
	} {
		if err := os.WriteFile(r.config, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := w.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		w.await(c.says)
	}
	// Run the waiting task now, as an operator may do in the UI.
	r.await("the token's end", func() bool {
		r.promote("huawei:normal")
		return r.status("waits").Delivered == 1
	})
}

// promote makes the tasks that wait in a lane due now.
func (r *rig) promote(lane string) {
	key := "asynq:{" + lane + "}:retry"
	for _, id := range r.rdb.ZRange(r.Context(), key, 0, -1).Val() {
		r.rdb.ZAdd(r.Context(), key, redis.Z{Score: 1, Member: id})
	}
}
