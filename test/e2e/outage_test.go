package e2e

import (
	"flag"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push/wire"
)

// The size of TestAVendorThatIsAway; make e2e uses 200,000 and a minute.
var (
	crowd = flag.Int("crowd", 3_000, "number of tokens that wait while the vendor is unavailable")
	away  = flag.Duration("away", 4400*time.Millisecond, "how long the vendor is unavailable")
)

// TestAVendorThatIsAway has a vendor that refuses every request, and then never
// answers, while a job waits: the workers send only probes, use no attempt, and no
// token ends dead. Not parallel: it measures real time.
func TestAVendorThatIsAway(t *testing.T) {
	rate := max(limited, *crowd/10)
	st := newWatchedRig(t, strings.Replace(settings, "rate: 0", fmt.Sprintf("rate: %d, batch: %d, timeout: 1s", rate, rate/20), 1), simulator.Options{})
	st.worker()
	st.worker()
	st.enqueueMany("warm", 10)
	st.await("the first request", func() bool { return len(st.accepted()) > 0 })
	st.setFaults(simulator.Fault{Vendor: "huawei", Endpoint: "send", Status: http.StatusServiceUnavailable})
	st.enqueueMany("job", *crowd)
	refuses := time.Now()
	st.until(refuses.Add(*away / 2))
	if n := st.attempts(); n != 0 {
		t.Errorf("%d attempts were used by refusals, want none", n)
	}
	st.setFaults(simulator.Fault{Vendor: "huawei", Endpoint: "send", Hang: true})
	hangs := time.Now()
	st.until(hangs.Add(*away / 2))
	if n := st.attempts(); n != 0 {
		t.Errorf("%d attempts were used by probes without an answer, want none", n)
	}
	st.setFaults()
	restored := time.Now()
	st.await("the job's end", func() bool { return st.status("job").State == "done" })
	if s := st.status("job"); s.Delivered != *crowd {
		t.Errorf("got %+v, want all delivered", s)
	}
	requests := func(from, to time.Time) int {
		return len(st.pick(func(s sent) bool { return s.tokens > 0 && !s.at.Before(from) && s.at.Before(to) }))
	}
	refused, hung := requests(refuses, hangs), requests(hangs, restored)
	back := st.pick(func(s sent) bool { return s.accepted && s.at.After(restored) })
	full, last := fullRate(back, rate), back[len(back)-1].at
	t.Logf("%d tokens at %d/s, vendor unavailable for %v: %d requests while it refused, %d while it did not answer, no attempt used; then the first token was delivered after %v, the full rate reached after %v, the last token delivered after %v",
		*crowd, rate, *away, refused, hung, since(restored, back[0].at), since(restored, full), since(restored, last))
	if refused > 12 || hung > 12 {
		t.Errorf("%d and %d requests while it was unavailable, want those in flight and a few probes", refused, hung)
	}
}

// fullRate returns the start of the first second with at least nine tenths of the
// rate; zero: there is none.
func fullRate(list []sent, rate int) time.Time {
	for i, s := range list {
		if tokensIn(s.at, time.Second, list[i:])*10 >= rate*9 {
			return s.at
		}
	}
	return time.Time{}
}

func since(begin, end time.Time) string {
	if end.IsZero() {
		return "never"
	}
	return end.Sub(begin).Round(10 * time.Millisecond).String()
}

// attempts counts the used attempts of the tokens in all chunks.
func (r *rig) attempts() int {
	r.Helper()
	n, chunks := 0, 0
	for it := r.rdb.Scan(r.Context(), 0, wire.ChunkKey("*"), 1000).Iterator(); it.Next(r.Context()); chunks++ {
		text, err := r.rdb.Get(r.Context(), it.Val()).Result()
		if err != nil {
			r.Fatal(err)
		}
		c, err := wire.DecodeChunk(text)
		if err != nil {
			r.Fatal(err)
		}
		for _, state := range c.States {
			if state <= wire.MaxAttempts {
				n += int(state)
			}
		}
	}
	if chunks == 0 {
		r.Error("there is no chunk")
	}
	return n
}
