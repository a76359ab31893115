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

// The size of TestAVendorThatIsAway; make e2e: 200,000 and a minute.
var (
	crowd = flag.Int("crowd", 3_000, "tokens that wait while the vendor is away")
	away  = flag.Duration("away", 4400*time.Millisecond, "how long the vendor is away")
)

// TestAVendorThatIsAway has a vendor refuse everything, then hang, while a job
// waits: it is probed and not hammered, no attempt is used, and nothing dies. Not parallel: it measures real time.
func TestAVendorThatIsAway(t *testing.T) {
	rate := max(limited, *crowd/10)
	st := newStage(t, strings.Replace(settings, "rate: 0", fmt.Sprintf("rate: %d, batch: %d, timeout: 1s", rate, rate/20), 1), simulator.Options{})
	st.worker()
	st.worker()
	st.enqueueMany("warm", 10)
	st.await("the first request", func() bool { return len(st.accepted()) > 0 })
	st.misbehave(simulator.Fault{Vendor: "huawei", Endpoint: "send", Status: http.StatusServiceUnavailable})
	st.enqueueMany("job", *crowd)
	refuses := time.Now()
	st.until(refuses.Add(*away / 2))
	if n := st.attempts(); n != 0 {
		t.Errorf("%d attempts were used by refusals, want none", n)
	}
	st.misbehave(simulator.Fault{Vendor: "huawei", Endpoint: "send", Hang: true})
	hangs := time.Now()
	st.until(hangs.Add(*away / 2))
	if n := st.attempts(); n != 0 {
		t.Errorf("%d attempts were used by probes without an answer, want none", n)
	}
	st.misbehave()
	well := time.Now()
	st.await("the job's end", func() bool { return st.status("job").State == "done" })
	if s := st.status("job"); s.Delivered != *crowd {
		t.Errorf("got %+v, want all delivered", s)
	}
	requests := func(from, to time.Time) int {
		return len(st.pick(func(s sent) bool { return s.tokens > 0 && !s.at.Before(from) && s.at.Before(to) }))
	}
	refused, hung := requests(refuses, hangs), requests(hangs, well)
	back := st.pick(func(s sent) bool { return s.accepted && s.at.After(well) })
	full, last := fullRate(back, rate), back[len(back)-1].at
	t.Logf("%d tokens at %d/s, away for %v: %d requests while it refused, %d while it hung, and no attempt used; then the first was delivered after %v, full rate reached after %v, the last delivered after %v",
		*crowd, rate, *away, refused, hung, since(well, back[0].at), since(well, full), since(well, last))
	if refused > 12 || hung > 12 {
		t.Errorf("%d and %d requests while it was away, want those in flight and a few probes", refused, hung)
	}
}

// fullRate is when a second began in which nine tenths of the rate were sent;
// zero: none.
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

// attempts counts the attempts that the tokens of all chunks have behind them.
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
		r.Error("there are no chunks to look at")
	}
	return n
}
