package bench

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
)

// BenchmarkIdle measures an idle worker with all lanes: how long one message takes
// from the call of Enqueue to its request at the vendor, and how many commands the
// worker sends to Redis while there is no work.
func BenchmarkIdle(b *testing.B) {
	n := scale(1000)
	arrived := make(chan struct{}, 1)
	sim := simulator.New(simulator.Options{Sink: true})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ":send") {
			arrived <- struct{}{}
		}
		sim.ServeHTTP(w, r)
	}))
	defer front.Close()
	for b.Loop() {
		s := newRig(b, simulator.Options{Sink: true})
		s.pointAll(front.URL)
		stop := s.startWorker()
		commands := s.commandsPerSecond(time.Duration(scale(10)) * time.Second)
		took := make([]time.Duration, n)
		for i, j := range singles(n, message) {
			// A pause of varying length, so that enqueueing is not in step with the idle lane.
			pause := time.NewTimer(time.Duration(i%7) * time.Millisecond)
			<-pause.C
			start := time.Now()
			_, err := s.client.Enqueue(b.Context(), j)
			s.must(err)
			<-arrived
			took[i] = time.Since(start)
		}
		stop()
		slices.Sort(took)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(took[n/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(took[n*99/100].Microseconds())/1000, "p99-ms")
		b.ReportMetric(commands, "redis-commands/s")
		b.ReportMetric(float64(len(s.cfg.Served())), "lanes")
	}
}

// commandsPerSecond measures the commands to Redis while there is no work.
func (s *rig) commandsPerSecond(d time.Duration) float64 {
	settle := time.NewTimer(2 * time.Second)
	<-settle.C
	before := s.commands()
	t := time.NewTimer(d)
	<-t.C
	return float64(s.commands()-before-1) / d.Seconds()
}

func (s *rig) commands() (n int64) {
	for line := range strings.Lines(s.rdb.Info(s.b.Context(), "stats").Val()) {
		_, _ = fmt.Sscanf(line, "total_commands_processed:%d", &n)
	}
	return n
}
