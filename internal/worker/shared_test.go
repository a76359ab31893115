package worker_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/limit"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/internal/worker"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

var (
	outage = flag.Duration("outage", 4*time.Second, "how long TestAnOutage lasts")
	crowd  = flag.Int("crowd", 20_000, "tokens that wait in TestAnOutage")
	flow   = flag.Duration("flow", 2*time.Second, "how long TestWorkersKeepOneLimit sends")
)

// altered is the rig's configuration with more in its vendor's block, and more apps.
func (r *rig) altered(more string, apps ...string) *config.Config {
	r.Helper()
	text := fmt.Sprintf(settings, redistest.URL(r.rdb), password, "100001", secret, r.url)
	c, err := config.Parse("test.yaml", []byte(strings.Replace(text, "rate: 0", more, 1)+strings.Join(apps, "")), registry.All(), config.Source{})
	r.must(err)
	r.client, err = push.NewClient(r.rdb, push.Options{Vendors: registry.ForClient(), Apps: c.ForClient()})
	r.must(err)
	return c
}

// more starts n workers beside each other, and stops them at the test's end.
func (r *rig) more(n int, c *config.Config) {
	r.Helper()
	for range n {
		w, err := worker.Start(r.Context(), r.options(c))
		r.must(err)
		r.worker = w
		r.Cleanup(func() { _ = w.Stop() })
	}
}

func tokens(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(prefix, "-", i)
	}
	return all
}

func (r *rig) seen() simulator.VendorReport { return r.sim.Report().Vendors["huawei"] }

// Not parallel: it measures real time. A busy machine may be slower than the
// limit for once; none may be over it at any time.
func TestWorkersKeepOneLimit(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			const rate, batch = 2000, 100
			mean := 0.0
			for range 3 {
				r := newRig(t, redistest.Client(t))
				r.more(n, r.altered(fmt.Sprintf("rate: %d, batch: %d", rate, batch)))
				total := int(rate * (*flow).Seconds())
				start := time.Now()
				r.enqueue("job", tokens("t", total)...)
				r.eventually("all are delivered", func() bool { return r.seen().Accepted == int64(total) })
				mean = float64(total-batch) / time.Since(start).Seconds() / rate
				peak := r.seen().TokensPerSecondPeak
				t.Logf("%d workers: mean %.3f of the limit, at most %d in a second", n, mean, peak)
				if peak > rate+batch {
					t.Errorf("%d tokens in a second, want at most %d", peak, rate+batch)
				}
				if mean >= 0.95 {
					return
				}
			}
			if mean < 0.8 {
				t.Errorf("mean %.3f of the limit, want 0.95", mean)
			}
		})
	}
}

func TestTenWorkersAskForOneAccessToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	c := r.altered("rate: 0, batch: 10")
	r.enqueue("job", tokens("t", 1000)...)
	r.more(10, c)
	if st := r.ended("job"); st.Delivered != 1000 {
		t.Errorf("got %+v, want all delivered", st)
	}
	if got := r.seen(); got.Grants != 1 || got.Duplicates != 0 {
		t.Errorf("the vendor saw %d grants and %d duplicates, want 1 and none", got.Grants, got.Duplicates)
	}
}

// A vendor that first refuses everything and then hangs is probed, not
// hammered, and nothing dies of it.
func TestAnOutage(t *testing.T) {
	const rate, batch = 20_000, 500
	r := newRig(t, redistest.Client(t))
	c := r.altered(fmt.Sprintf("rate: %d, batch: %d, timeout: 1s", rate, batch))
	r.enqueue("warm", "w1", "w2")
	r.more(2, c)
	r.ended("warm")
	r.must(r.sim.SetFaults([]simulator.Fault{{Vendor: "huawei", Endpoint: "send", Status: 503}}))
	r.enqueue("job", tokens("t", *crowd)...)
	before := r.seen().Requests
	wait(t, *outage/2)
	refused := r.seen().Requests - before
	st, err := r.book.Status(t.Context(), "job")
	r.must(err)
	if st.Dead != 0 || st.Pending != *crowd {
		t.Errorf("after %v of refusals: %+v, want all pending", *outage/2, st)
	}
	r.must(r.sim.SetFaults([]simulator.Fault{{Vendor: "huawei", Endpoint: "send", Hang: true}}))
	wait(t, *outage/2)
	hung := r.seen().Requests - before - refused
	r.must(r.sim.SetFaults(nil))
	start := time.Now()
	r.eventually("one is delivered", func() bool { return r.seen().Accepted > 2 })
	first := time.Since(start)
	full := time.Duration(0)
	last, at := r.seen().Accepted, time.Now()
	r.eventually("all are delivered", func() bool {
		if now := r.seen().Accepted; full == 0 && time.Since(at) >= 500*time.Millisecond {
			if float64(now-last)/time.Since(at).Seconds() > 0.9*rate {
				full = time.Since(start)
			}
			last, at = now, time.Now()
		}
		return r.seen().Accepted >= int64(*crowd+2)
	})
	drained := time.Since(start)
	st = r.ended("job")
	t.Logf("%d tokens, %v: %d requests while it refused, %d while it hung; first delivery after %v, full rate after %v, all after %v",
		*crowd, *outage, refused, hung, first.Round(time.Millisecond), full.Round(time.Millisecond), drained.Round(time.Millisecond))
	if st.Dead != 0 || st.Delivered != *crowd {
		t.Errorf("got %+v, want all delivered", st)
	}
	if most := int64(2*64 + 20); refused > most || hung > most {
		t.Errorf("%d and %d requests during the outage, want at most those in flight and a few probes", refused, hung)
	}
}

func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// another is a second app at the same vendor.
const another = `
  bank:
    huawei: {client_id: "100002", client_secret: %q, base_url: %q, auth_url: "%[2]s/oauth2/v3/token", rate: 0}
`

// Not parallel: it measures the time from the producer's call to the vendor.
func TestHighPriorityIsNotHeldUp(t *testing.T) {
	for name, hold := range map[string]func(*rig){
		"while a bulk job of the same app runs at its limit": func(r *rig) {
			r.send("shop", push.Bulk, tokens("bulk", 30_000)...)
			r.eventually("it runs", func() bool { return r.seen().Accepted > 2000 })
		},
		"while another app is stopped": func(r *rig) {
			k := limit.Key{App: "bank", Vendor: "huawei"}
			_, _, err := (&limit.Limiter{Redis: r.rdb}).Stop(r.Context(), k, limit.Halt{Kind: limit.Misconfigured, Reason: "wrong"})
			r.must(err)
			for i := range 300 {
				r.send("bank", push.High, tokens(fmt.Sprint("bank-", i), 2)...)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, redistest.Client(t))
			r.more(1, r.altered("rate: 2000, batch: 1000", fmt.Sprintf(another, otherSecret, r.url)))
			hold(r)
			var took []time.Duration
			for i := range 40 {
				token := fmt.Sprint("high-", i)
				start := time.Now()
				r.send("shop", push.High, token)
				r.eventually("it is out", func() bool { return r.sim.Count("huawei", token) == 1 })
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			p50, p99 := took[len(took)/2], took[len(took)-1]
			t.Logf("p50 %v, p99 %v", p50, p99)
			if p50 > 200*time.Millisecond {
				t.Errorf("p50 %v, want even p99 within 200 ms on a quiet machine", p50)
			}
		})
	}
}

// send enqueues a job whose words are its own.
func (r *rig) send(app string, p push.Priority, all ...string) {
	r.Helper()
	_, err := r.client.Enqueue(r.Context(), push.Job{
		ID: "job-" + all[0], App: app, Priority: p, Message: push.Message{Title: "code", Body: all[0]},
		Targets: map[string][]string{"huawei": all},
	})
	r.must(err)
}
