package e2e

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push"
)

// highs is how many messages of high priority are timed; make e2e uses 500.
var highs = flag.Int("highs", 40, "number of timed messages of high priority")

// secondApp has a second app at the same vendor, under the same limit.
var secondApp = strings.Replace(settings, "rate: 0", "rate: 2000", 1) + `  news:
    huawei: {client_id: "100002", client_secret: news-secret, base_url: "%SIM%", auth_url: "%SIM%/oauth2/v3/token", rate: 2000}
`

// TestHighPriorityIsOutAtOnce measures the time of messages of high priority from the
// producer's call to the vendor. Not parallel: it measures real time.
func TestHighPriorityIsOutAtOnce(t *testing.T) {
	for _, c := range []struct {
		name  string
		start func(*watchedRig)      // starts the concurrent load
		lasts func(*watchedRig) bool // whether the load still lasts at the end
	}{
		{"without other load", func(*watchedRig) {}, func(*watchedRig) bool { return true }},
		{
			"with a bulk job of the same app at its limit",
			func(st *watchedRig) {
				st.enqueueMany("bulk", 20_000+200**highs, "--priority", "bulk")
				st.await("the bulk job runs", func() bool { return len(st.accepted()) > 3 })
			},
			func(st *watchedRig) bool { return st.status("bulk").Pending > 0 },
		},
		{
			"with another app that is paused",
			func(st *watchedRig) {
				st.setFaults(simulator.Fault{Vendor: "huawei", Endpoint: "send", App: "100002", Status: 503})
				for i := range 300 {
					st.send("news", fmt.Sprint("news-", i))
				}
				st.await("the app is paused", func() bool { return len(st.pauses("huawei")) > 0 })
			},
			func(st *watchedRig) bool { return len(st.pauses("huawei")) > 0 && st.status("news-7").Pending == 1 },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := newWatchedRig(t, secondApp, simulator.Options{Credentials: map[string][]simulator.Credential{
				"huawei": {simulator.DemoCredential(), {App: "100002", Secret: "news-secret"}},
			}})
			st.worker()
			st.send("shop", "warm")
			st.await("the first message", func() bool { return len(st.accepted()) > 0 })
			c.start(st)
			took := make([]time.Duration, *highs)
			for i := range took {
				took[i] = st.sendTimed(fmt.Sprint("high-", i))
			}
			if !c.lasts(st) {
				t.Error("the other load ended before the last message: the test shows nothing")
			}
			slices.Sort(took)
			p50, p99, worst := took[len(took)/2], took[len(took)*99/100], took[len(took)-1]
			t.Logf("%d messages: p50 %.1f ms, p99 %.1f ms, at most %.1f ms", *highs, p50.Seconds()*1e3, p99.Seconds()*1e3, worst.Seconds()*1e3)
			if p50 > 200*time.Millisecond || worst > 3*time.Second {
				t.Errorf("p50 %v, at most %v; want p50 within 200 ms and none over 3 s", p50, worst)
			}
		})
	}
}

// sendTimed sends a message and returns how long it took to the vendor.
func (st *watchedRig) sendTimed(token string) time.Duration {
	st.Helper()
	begin := st.send("shop", token)
	var got []sent
	st.await("the message", func() bool {
		got = st.pick(func(s sent) bool { return s.first == token })
		return len(got) > 0
	})
	return got[0].at.Sub(begin)
}

// send enqueues a message of high priority with the Go client, and returns the time
// before the call.
func (st *watchedRig) send(app, token string) time.Time {
	st.Helper()
	begin := time.Now()
	if _, err := st.producer.Enqueue(st.Context(), push.Job{
		ID: token, App: app, Priority: push.High, Message: push.Message{Title: "Your code", Body: "It is " + token},
		Targets: map[string][]string{"huawei": {token}},
	}); err != nil {
		st.Fatal(err)
	}
	return begin
}
