package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// twoLimitedApps has two apps at one vendor, one of them with a low rate.
func twoLimitedApps(t *testing.T, rate, concurrency int) *watchedRig {
	t.Helper()
	return newWatchedRig(t, strings.NewReplacer("worker: {", fmt.Sprintf("worker: {concurrency: %d, ", concurrency), "rate: 0", fmt.Sprintf("rate: %d", rate)).
		Replace(settings)+`  news:
    huawei: {client_id: "100002", client_secret: news-secret, base_url: "%SIM%", auth_url: "%SIM%/oauth2/v3/token", rate: 0}
`, simulator.Options{Credentials: map[string][]simulator.Credential{
		"huawei": {simulator.DemoCredential(), {App: "100002", Secret: "news-secret"}},
	}})
}

// TestALimitedAppDelaysNoOther has an app with a limit of 900 tokens a second and a
// job of a million tokens, of which it sends as many as -flow allows, and an app
// without a limit.
func TestALimitedAppDelaysNoOther(t *testing.T) {
	const rate, chunks = 900, 25
	st := twoLimitedApps(t, rate, 64)
	st.worker()
	st.enqueueMany("large", 1_000_000)
	st.await("the large job's first chunk", func() bool { return len(st.accepted()) > 0 })
	began := st.accepted()[0].at
	st.until(began.Add(2 * time.Second))

	var b strings.Builder
	for i := range chunks * 1000 {
		fmt.Fprintf(&b, "huawei,JQ%0128d\n", i)
	}
	begin := time.Now()
	if code, out := st.run(strings.NewReader(b.String()), "enqueue", "send", "--app", "news", "--targets", "-", "--title", "Hi", "--body", "there", "--id", "small"); code != 0 {
		t.Fatalf("send: exit %d: %s", code, out)
	}
	queued := time.Now()
	st.await("the small job has ended", func() bool { return st.status("small").Pending == 0 })
	took := time.Since(queued)
	t.Logf("the other app's %d chunks took %.1f s, and %.1f s to be enqueued", chunks, took.Seconds(), queued.Sub(begin).Seconds())
	if took > 5*time.Second {
		t.Errorf("the other app's %d chunks took %v, want at most 5s", chunks, took)
	}

	length := max(*flow, 10*time.Second)
	from := time.Now()
	st.until(from.Add(length))
	limited := st.pick(isLimited)
	mean := float64(tokensIn(from, length, limited)) / length.Seconds() / rate
	most := mostIn(time.Second, limited)
	t.Logf("the app with the limit: mean %.3f of it over %v, at most %d tokens in any second", mean, length, most)
	// The measured number of tokens may be off by one chunk, which has 1,000 tokens.
	if want := 0.97 - 1000/length.Seconds()/rate; mean < want {
		t.Errorf("mean %.3f of the limit, want at least %.3f", mean, want)
	}
	if most > rate+1000 {
		t.Errorf("%d tokens within a second, want at most %d", most, rate+1000)
	}
}

// TestPackedAndSingleMessagesOfALimitedAppDelayNoOther has many messages of an app
// with a limit, and measures the time of single messages of another app.
func TestPackedAndSingleMessagesOfALimitedAppDelayNoOther(t *testing.T) {
	for name, c := range map[string]struct{ rate, workers, jobs, together int }{
		"40 packed chunks at 100 a second":       {100, 1, 40_000, 1000},
		"15,000 single messages at 300 a second": {300, 2, 15_000, 1},
	} {
		t.Run(name, func(t *testing.T) {
			st := twoLimitedApps(t, c.rate, 8)
			for range c.workers {
				st.worker()
			}
			jobs := make([]push.Job, c.jobs)
			for i := range jobs {
				jobs[i] = push.Job{
					ID: fmt.Sprint("job-", i), App: "shop", Message: push.Message{Title: "Shipped", Body: fmt.Sprint("Your order ", i)},
					Targets: map[string][]string{"huawei": {fmt.Sprintf("IQ%0128d", i)}},
				}
			}
			var g errgroup.Group
			g.SetLimit(8)
			for some := range slices.Chunk(jobs, c.together) {
				g.Go(func() error {
					for _, o := range st.producer.EnqueueMany(t.Context(), some) {
						if o.Err != nil {
							return o.Err
						}
					}
					return nil
				})
			}
			if err := g.Wait(); err != nil {
				t.Fatal(err)
			}
			st.await("the first messages", func() bool { return len(st.accepted()) > 100 })
			begin := time.Now()
			st.await("each task has its time at the rate limit", func() bool {
				return st.rdb.LLen(t.Context(), wire.PendingKey("huawei:normal")).Val() < 32
			})
			t.Logf("each task had its time at the rate limit after %.1f s", time.Since(begin).Seconds())
			took := st.singles(*highs)
			slices.Sort(took)
			p99 := took[len(took)*99/100]
			t.Logf("%d single messages of the other app: p50 %v, p99 %v, at most %v", len(took), took[len(took)/2], p99, took[len(took)-1])
			if p99 > time.Second {
				t.Errorf("p99 %v, want at most 1s", p99)
			}
			const length = 5 * time.Second
			for range 3 { // on a busy machine, a run may be slower
				from := time.Now()
				st.until(from.Add(length))
				mean := float64(tokensIn(from, length, st.pick(isLimited))) / length.Seconds() / float64(c.rate)
				t.Logf("the app with the limit: mean %.3f of it over %v", mean, length)
				if mean >= 0.95 {
					return
				}
			}
			t.Error("the app with the limit used less than 0.95 of it")
		})
	}
}

// isLimited reports whether a request is of the app with the limit.
func isLimited(s sent) bool { return strings.HasPrefix(s.first, "I") }

// singles sends single messages of the other app, one after another, and returns how
// long each took to the vendor.
func (st *watchedRig) singles(n int) []time.Duration {
	st.Helper()
	took := make([]time.Duration, n)
	for i := range took {
		token, begin := fmt.Sprintf("JQ%0128d", i), time.Now()
		if _, err := st.producer.Enqueue(st.Context(), push.Job{
			ID: fmt.Sprint("single-", i), App: "news", Message: push.Message{Title: "News", Body: fmt.Sprint("Number ", i)},
			Targets: map[string][]string{"huawei": {token}},
		}); err != nil {
			st.Fatal(err)
		}
		var got []sent
		st.await("the single message", func() bool {
			got = st.pick(func(s sent) bool { return s.first == token })
			return len(got) > 0
		})
		took[i] = got[0].at.Sub(begin)
	}
	return took
}
