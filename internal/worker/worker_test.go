package worker_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/internal/worker"
)

func TestAWorkerDeliversAndReportsItsState(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	r.start(r.config("100001", secret))
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready"} {
		if status, body := r.get(path, "", ""); status != http.StatusOK || strings.TrimSpace(body) != want {
			t.Errorf("GET %s answers %d %q, want 200 %q", path, status, body, want)
		}
	}
	tokens := make([]string, 1500)
	for i := range tokens {
		tokens[i] = fmt.Sprint("token-of-a-phone-", i)
	}
	tokens[7] = "bad-token-of-a-phone"
	r.enqueue("order-42", tokens...)
	if st := r.ended("order-42"); st.Delivered != 1499 || st.Invalid != 1 {
		t.Errorf("got %+v, want 1499 delivered and 1 invalid", st)
	}
	r.eventually("the metrics count them", func() bool {
		status, body := r.get("/metrics", "", "")
		return status == http.StatusOK &&
			strings.Contains(body, `postrider_tokens_total{app="shop",outcome="delivered",vendor="huawei"} 1499`) &&
			strings.Contains(body, `postrider_tokens_total{app="shop",outcome="invalid",vendor="huawei"} 1`) &&
			strings.Contains(body, `postrider_tokens_total{app="shop",outcome="dead",vendor="huawei"} 0`) &&
			strings.Contains(body, "go_goroutines")
	})
	_, body := r.get("/metrics", "", "")
	r.wantHidden("/metrics", body, "token-of-a-phone", "order-42")
	r.wantHidden("the log", r.log.String(), "token-of-a-phone")
	if report := r.sim.Report(); report.Vendors["huawei"].ViolationCount != 0 {
		t.Errorf("the vendor saw violations: %+v", report.Vendors["huawei"].Violations)
	}
}

func TestTheUIRequiresThePasswordAndShowsNoToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	r.must(r.sim.SetFaults([]simulator.Fault{{Endpoint: "send", Status: 500}}))
	r.start(r.config("100001", secret))
	r.enqueue("order-42", "token-of-a-phone-1", "token-of-a-phone-2")
	r.eventually("the task is requeued", func() bool {
		return r.rdb.ZCard(t.Context(), "asynq:{huawei:normal}:retry").Val() == 1
	})
	for name, c := range map[string]struct {
		user, password string
		want           int
	}{
		"no user":            {"", "", http.StatusUnauthorized},
		"a wrong password":   {"ops", "guess", http.StatusUnauthorized},
		"a wrong user":       {"root", password, http.StatusUnauthorized},
		"the right password": {"ops", password, http.StatusOK},
	} {
		for _, path := range []string{"/", "/api/queues", "/api/queues/huawei:normal/retry_tasks"} {
			status, body := r.get(path, c.user, c.password)
			if status != c.want {
				t.Errorf("GET %s with %s answers %d, want %d", path, name, status, c.want)
			}
			r.wantHidden("GET "+path, body, "token-of-a-phone")
		}
	}
	_, body := r.get("/api/queues/huawei:normal/retry_tasks", "ops", password)
	for _, want := range []string{"order-42", "shop", "huawei/http/500"} { // the payload and the reason for waiting
		if !strings.Contains(body, want) {
			t.Errorf("the UI does not show %q: %s", want, body)
		}
	}
}

func TestADrainingWorkerIsNotReadyAndFinishesRequestsInFlight(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	r.must(r.sim.SetFaults([]simulator.Fault{{Endpoint: "send", Delay: simulator.Duration(1500 * time.Millisecond)}}))
	r.start(r.config("100001", secret))
	r.enqueue("order-42", "t1", "t2")
	r.eventually("the request is in flight", func() bool { return r.sim.Report().Vendors["huawei"].Endpoints["send"] > 0 })
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	r.eventually("it is not ready", func() bool {
		status, body := r.get("/readyz", "", "")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "draining")
	})
	if status, _ := r.get("/healthz", "", ""); status != http.StatusOK {
		t.Errorf("GET /healthz answers %d while draining, want 200", status)
	}
	r.must(<-stopped)
	if st := r.ended("order-42"); st.Delivered != 2 {
		t.Errorf("got %+v, want the request in flight delivered", st)
	}
	if status, _ := r.get("/healthz", "", ""); status != 0 {
		t.Errorf("the server still answers %d", status)
	}
}

// Tasks that a worker did not start wait for the next worker.
func TestAStoppedWorkerLeavesItsTasks(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	r.start(r.config("100001", secret))
	r.must(r.stop())
	r.enqueue("order-42", "t1", "t2")
	r.start(r.config("100001", secret))
	if st := r.ended("order-42"); st.Delivered != 2 {
		t.Errorf("got %+v, want 2 delivered", st)
	}
}

func TestAReloadChangesCredentialsAndDropsNoTask(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	r.must(r.sim.SetFaults([]simulator.Fault{{Endpoint: "send", Delay: simulator.Duration(20 * time.Millisecond)}}))
	r.start(r.config("100001", secret))
	const jobs = 300
	enqueued := make(chan struct{})
	go func() {
		defer close(enqueued)
		for i := range jobs {
			r.enqueue(fmt.Sprint("order-", i), fmt.Sprint("t-", i, "-1"), fmt.Sprint("t-", i, "-2"))
		}
	}()
	r.eventually("some are delivered", func() bool { return r.sim.Report().Vendors["huawei"].Apps["100001"] > 20 })
	r.must(r.worker.Reload(t.Context(), r.config("100002", otherSecret)))
	<-enqueued
	r.enqueue("after", "t-after-1", "t-after-2")
	for i := range jobs {
		if st := r.ended(fmt.Sprint("order-", i)); st.Delivered != 2 {
			t.Errorf("got %+v, want 2 delivered", st)
		}
	}
	r.ended("after")
	report := r.sim.Report().Vendors["huawei"]
	if report.Apps["100001"] == 0 || report.Apps["100002"] == 0 || report.Duplicates != 0 || report.ViolationCount != 0 {
		t.Errorf("the vendor saw %v, %d duplicates and %d violations, want both apps and none", report.Apps, report.Duplicates, report.ViolationCount)
	}
	r.wantHidden("the log", r.log.String(), "t-after")
}

func TestAReloadWithTheRightSecretSendsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	r.start(r.config("100001", "a-wrong-secret"))
	r.enqueue("order-1", "t1", "t2")
	pause := "postrider:pause:{shop:huawei}:stop"
	r.eventually("the account is stopped", func() bool { return r.rdb.Exists(t.Context(), pause).Val() == 1 })
	r.eventually("the task is requeued", func() bool {
		return r.rdb.ZCard(t.Context(), "asynq:{huawei:normal}:retry").Val() == 1
	})
	if st, err := r.book.Status(t.Context(), "order-1"); err != nil || st.Pending != 2 {
		t.Errorf("got %+v, %v, want both tokens kept", st, err)
	}
	if !strings.Contains(r.log.String(), `"level":"error"`) {
		t.Error("the log has no error")
	}
	r.must(r.worker.Reload(t.Context(), r.config("100001", secret)))
	if r.rdb.Exists(t.Context(), pause).Val() != 0 {
		t.Error("the account is still stopped")
	}
	r.enqueue("order-2", "t3", "t4")
	r.ended("order-2")
	// The first job does not wait until the minute of the stop is over.
	if st := r.ended("order-1"); st.Delivered != 2 {
		t.Errorf("got %+v, want 2 delivered", st)
	}
	r.wantHidden("the log", r.log.String(), "a-wrong-secret")
}

func TestAWorkerIsNotReadyWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	r := newRig(t, server.Client(t))
	r.start(r.config("100001", secret))
	server.Kill()
	r.eventually("it is not ready", func() bool {
		status, body := r.get("/readyz", "", "")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "redis")
	})
	if status, _ := r.get("/healthz", "", ""); status != http.StatusOK {
		t.Errorf("GET /healthz answers %d, want 200", status)
	}
	server.Restart(t)
	r.eventually("it is ready again", func() bool { status, _ := r.get("/readyz", "", ""); return status == http.StatusOK })
	r.enqueue("order-1", "t1")
	r.ended("order-1")
}

func TestAWorkerThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	taken, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // after the parallel parts
	for name, c := range map[string]struct {
		breakIt func(r *rig, c *config.Config)
		want    string
	}{
		"redis is unreachable": {func(r *rig, _ *config.Config) { r.must(r.rdb.Close()); r.rdb.Options().Addr = "127.0.0.1:1" }, "redis.url"},
		"the port is taken":    {func(_ *rig, c *config.Config) { c.HTTP.Listen = taken.Addr().String() }, "http.listen"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, redistest.Client(t))
			cfg := r.config("100001", secret)
			c.breakIt(r, cfg)
			w, err := worker.Start(t.Context(), r.options(cfg))
			if w != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v, want an error that names %s", w, err, c.want)
			}
		})
	}
}

// A stopped worker has no open connection to a vendor.
func TestAStoppedWorkerClosesItsConnections(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Client(t))
	var open atomic.Int64
	front := httptest.NewUnstartedServer(r.sim)
	front.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		case http.StateActive, http.StateIdle:
		}
	}
	front.Start()
	t.Cleanup(front.Close)
	r.url = front.URL
	r.start(r.config("100001", secret))
	r.enqueue("order-1", "t1", "t2")
	r.ended("order-1")
	if open.Load() == 0 {
		t.Error("no connection is kept between requests")
	}
	r.must(r.worker.Reload(t.Context(), r.config("100002", otherSecret)))
	r.enqueue("order-2", "t3", "t4")
	r.ended("order-2")
	r.must(r.stop())
	r.eventually("all connections are closed", func() bool { return open.Load() == 0 })
}
