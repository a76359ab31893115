package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push"
)

// neighbours are two apps at one vendor, of which one has a low rate.
func neighbours(t *testing.T, rate, concurrency int) *stage {
	t.Helper()
	return newStage(t, strings.NewReplacer("worker: {", fmt.Sprintf("worker: {concurrency: %d, ", concurrency), "rate: 0", fmt.Sprintf("rate: %d", rate)).
		Replace(settings)+`  news:
    huawei: {client_id: "100002", client_secret: news-secret, base_url: "%SIM%", auth_url: "%SIM%/oauth2/v3/token", rate: 0}
`, simulator.Options{Credentials: map[string][]simulator.Credential{
		"huawei": {simulator.DemoCredential(), {App: "100002", Secret: "news-secret"}},
	}})
}

// TestALimitedAppHoldsNobodyUp has an app with a limit of 900 tokens a second and
// a million of them, or as many as -flow allows, beside one without a limit.
func TestALimitedAppHoldsNobodyUp(t *testing.T) {
	const rate, chunks = 900, 25
	st := neighbours(t, rate, 64)
	st.worker()
	st.enqueueMany("large", 1_000_000)
	st.await("the large job's first chunk", func() bool { return len(st.accepted()) > 0 })
	began := st.accepted()[0].at
	st.until(began.Add(2 * time.Second))

	var b strings.Builder
	for i := range chunks * 1000 {
		fmt.Fprintf(&b, "huawei,JQ%0128d\n", i)
	}
	asked := time.Now()
	if code, out := st.run(strings.NewReader(b.String()), "enqueue", "send", "--app", "news", "--targets", "-", "--title", "Hi", "--body", "there", "--id", "small"); code != 0 {
		t.Fatalf("send: exit %d: %s", code, out)
	}
	queued := time.Now()
	st.await("the small job", func() bool { return st.status("small").Pending == 0 })
	took := time.Since(queued)
	t.Logf("the other app's %d chunks took %.1f s, and %.1f s to be enqueued", chunks, took.Seconds(), queued.Sub(asked).Seconds())
	if took > 5*time.Second {
		t.Errorf("the other app's %d chunks took %v, want 5s at most", chunks, took)
	}

	length := max(*flow, 10*time.Second)
	from := time.Now()
	st.until(from.Add(length))
	limited := st.pick(func(s sent) bool { return strings.HasPrefix(s.first, "I") })
	mean := float64(tokensIn(from, length, limited)) / length.Seconds() / rate
	most := mostIn(time.Second, limited)
	t.Logf("the app with the limit: mean %.3f of it over %v, at most %d tokens in any second", mean, length, most)
	// A chunk more or less is 1,000 tokens of what is measured.
	if want := 0.97 - 1000/length.Seconds()/rate; mean < want {
		t.Errorf("mean %.3f of the limit, want %.3f", mean, want)
	}
	if most > rate+1000 {
		t.Errorf("%d tokens within a second, want %d at most", most, rate+1000)
	}
}

// TestManyPackedChunksOfALimitedAppHoldNobodyUp has 40 packed chunks of an app
// with a limit of 100 a second, and times single messages of another.
func TestManyPackedChunksOfALimitedAppHoldNobodyUp(t *testing.T) {
	st := neighbours(t, 100, 8)
	st.worker()
	jobs := make([]push.Job, 40_000)
	for i := range jobs {
		jobs[i] = push.Job{
			ID: fmt.Sprint("packed-", i), App: "shop", Message: push.Message{Title: "Shipped", Body: fmt.Sprint("Your order ", i)},
			Targets: map[string][]string{"huawei": {fmt.Sprintf("IQ%0128d", i)}},
		}
	}
	for _, o := range st.producer.EnqueueMany(t.Context(), jobs) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	st.await("the first messages", func() bool { return len(st.accepted()) > 100 })
	var took []time.Duration
	for i := range *highs {
		token := fmt.Sprintf("JQ%0128d", i)
		begin := time.Now()
		if _, err := st.producer.Enqueue(st.Context(), push.Job{
			ID: fmt.Sprint("single-", i), App: "news", Message: push.Message{Title: "News", Body: fmt.Sprint("Number ", i)},
			Targets: map[string][]string{"huawei": {token}},
		}); err != nil {
			t.Fatal(err)
		}
		var got []sent
		st.await("the single message", func() bool {
			got = st.pick(func(s sent) bool { return s.first == token })
			return len(got) > 0
		})
		took = append(took, got[0].at.Sub(begin))
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	t.Logf("%d single messages: p50 %v, p99 %v, at most %v", len(took), took[len(took)/2], p99, took[len(took)-1])
	if p99 > time.Second {
		t.Errorf("p99 %v, want 1s at most", p99)
	}
	const length = 5 * time.Second
	for range 3 { // a busy machine may be slower for once
		from := time.Now()
		st.until(from.Add(length))
		mean := float64(tokensIn(from, length, st.pick(func(s sent) bool { return strings.HasPrefix(s.first, "I") }))) / length.Seconds() / 100
		t.Logf("the app with the limit: mean %.3f of it over %v", mean, length)
		if mean >= 0.95 {
			return
		}
	}
	t.Error("the app with the limit has less than 0.95 of it")
}
