package compose

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var forReal = flag.Bool("compose", false, "bring docker-compose.yml up for real")

// requireDocker skips a test that needs Docker, and says so loudly.
func requireDocker(t *testing.T) {
	t.Helper()
	if !*forReal {
		t.Skip("-compose is not given")
	}
	s := &system{T: t}
	for _, command := range [][]string{{"docker", "info"}, {"docker-compose", "version"}} {
		if got := s.try(command[0], command[1:]...); got.code != 0 {
			skipped := fmt.Sprintf("SKIPPED: %s does not run here, so nothing of docker-compose.yml was tried: %s", strings.Join(command, " "), got.both())
			fmt.Fprintln(os.Stderr, skipped)
			t.Skip(skipped)
		}
	}
}

// version names an image of this run.
func version(name string) string { return fmt.Sprintf("test-%d-%s", os.Getpid(), name) }

// build builds the image of a version, and removes it when the test ends.
func (s *system) build(version string) {
	s.Helper()
	s.use(version)
	s.must("docker-compose", "build", "-q", "worker")
	s.log("built postrider:%s, %s bytes", version, s.must("docker", "image", "inspect", "--format", "{{.Size}}", "postrider:"+version))
}

// use has containers that are made from now on run a version.
func (s *system) use(version string) {
	s.set("POSTRIDER_VERSION", version)
	s.Cleanup(func() { s.try("docker", "rmi", "postrider:"+version) })
}

func TestTheConfigurationIsClean(t *testing.T) {
	requireDocker(t)
	s := newSystem(t, "config")
	for _, args := range [][]string{{"config"}, {"--profile", "tools", "--profile", "monitoring", "--profile", "grafana", "config"}} {
		if got := s.try("docker-compose", args...); got.code != 0 || got.err != "" {
			t.Errorf("docker-compose %s: exit %d, %s", strings.Join(args, " "), got.code, got.err)
		}
	}
}

// What the README says, in a terminal: up, send, Ctrl-C, down.
func TestANewcomer(t *testing.T) {
	requireDocker(t)
	s := newSystem(t, "newcomer")
	s.use(version("a"))
	up := s.command("docker-compose", "up") // builds the image, too
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- up.Wait() }()
	t.Cleanup(func() { _ = up.Process.Kill() })
	s.await("docker-compose up", func() bool { return len(s.containers("ui")) == 1 })
	s.awaitHealthy("ui", 1)
	s.awaitHealthy("worker", 1)
	s.log("docker-compose up: healthy")
	got := s.try("docker-compose", "run", "--rm", "-T", "enqueue", "send", "--app", "shop", "--target", "huawei:TOKEN", "--title", "Hi", "--body", "there", "--wait")
	if got.code != 0 || !strings.Contains(got.out, "delivered  1") {
		t.Errorf("enqueue: exit %d, %s", got.code, got.both())
	}
	if err := up.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
	s.log("Ctrl-C: stopped")
	s.must("docker-compose", "down", "-v")
	s.wantNothingLeft()
}

func TestNothingIsLost(t *testing.T) {
	requireDocker(t)
	s := newSystem(t, "test", abs(t, "simulator-port.yml"))
	s.build(version("b"))
	s.build(version("a"))
	s.must("docker-compose", "up", "-d", "--scale", "worker=3")
	s.awaitHealthy("worker", 3)
	s.awaitHealthy("ui", 1)
	s.log("up: three workers, the UI, Redis and the simulator are healthy")
	s.wantVersion(version("a"), 4)
	s.wantPassword()
	v := newVendors(s)

	var jobs []job
	inFlight := 0
	// strike has a job pending while a fault strikes, and waits for the job's end.
	strike := func(name string, fault func()) {
		t.Helper()
		v.misbehave(true)
		j := s.enqueue(name)
		jobs = append(jobs, j)
		before := s.pending(j.id)
		begun := time.Now()
		fault()
		took := time.Since(begun)
		after := s.pending(j.id)
		s.log("%s: took %.1f s; %d tokens were pending before, %d after", name, took.Seconds(), before, after)
		if before == 0 || after == 0 {
			t.Errorf("%s struck no job: it had %d pending tokens before and %d after", name, before, after)
		}
		inFlight += before - after
		v.misbehave(false)
		s.awaitEnd(j)
	}

	strike("killed", func() {
		id := s.containers("worker")[0]
		s.must("docker", "kill", id)
		s.must("docker", "start", id)
		s.awaitHealthy("worker", 3)
	})
	strike("cut-off", func() {
		id, network := s.containers("worker")[0], s.project+"_default"
		s.must("docker", "network", "disconnect", network, id)
		s.await("a worker that says it is not ready", func() bool {
			return s.must("docker", "inspect", "--format", "{{.State.Health.Status}}", id) == "unhealthy"
		})
		s.must("docker", "network", "connect", "--alias", "worker", network, id)
		s.awaitHealthy("worker", 3)
	})
	strike("redis-restarted", func() {
		s.must("docker-compose", "restart", "redis")
		s.awaitHealthy("redis", 1)
		s.awaitHealthy("worker", 3)
	})
	strike("rolled", func() {
		s.use(version("b"))
		s.must("deploy/compose/roll.sh")
		s.awaitHealthy("worker", 3)
		s.wantVersion(version("b"), 4)
	})
	s.wantPassword()
	s.judge(v, jobs)
	s.wantTargets(4)

	s.must("docker-compose", "--profile", "monitoring", "down", "-v")
	s.wantNothingLeft()
	s.log("down: nothing is left")
}

// judge holds what the vendors took against what the ledgers say.
func (s *system) judge(v *vendors, jobs []job) {
	s.Helper()
	r := v.report()
	if n := r.Violations(); n > 0 {
		s.Errorf("%d violations of the vendors' protocols: %+v", n, r)
	}
	duplicates, accepted := int64(0), int64(0)
	for name, seen := range r.Vendors {
		want := 0
		for _, j := range jobs {
			want += j.good[name]
		}
		if seen.Distinct != int64(want) {
			s.Errorf("%s accepted %d tokens, the ledgers say that it delivered %d", name, seen.Distinct, want)
		}
		accepted += seen.Distinct
		duplicates += seen.Duplicates
	}
	s.log("the vendors accepted %d tokens, as the ledgers say, and %d of them again after a fault; faults: %v", accepted, duplicates, fired(r.Vendors))
}

// wantVersion fails unless all workers, the UI's included, are of a version.
func (s *system) wantVersion(version string, n int) {
	s.Helper()
	all := append(s.containers("worker"), s.containers("ui")...)
	if len(all) != n {
		s.Errorf("%d workers run, want %d", len(all), n)
	}
	for _, id := range all {
		var got struct{ Version string }
		if err := json.Unmarshal([]byte(s.must("docker", "exec", id, "worker", "version", "--json")), &got); err != nil || got.Version != version {
			s.Errorf("a worker has version %q, %v; want %s", got.Version, err, version)
		}
	}
}

// wantPassword fails unless the UI answers with its password, and only with it.
func (s *system) wantPassword() {
	s.Helper()
	base := "http://" + s.address("ui", "8080")
	right := strings.TrimSpace(read(s.T, filepath.Join("deploy", "compose", "secrets", "ui-password")))
	for _, path := range []string{"/", "/postrider"} {
		for password, want := range map[string]int{"": http.StatusUnauthorized, right + "x": http.StatusUnauthorized, right: http.StatusOK} {
			if got := s.get(base+path, password); got != want {
				s.Errorf("%s with password %q: got %d, want %d", path, password, got, want)
			}
		}
	}
	s.log("the UI and /postrider answer with the password, and only with it")
}

func (s *system) get(url, password string) int {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		s.Fatal(err)
	}
	if password != "" {
		req.SetBasicAuth("ops", password)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	resp, err := client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// wantTargets starts Prometheus and waits until it scrapes n workers.
func (s *system) wantTargets(n int) {
	s.Helper()
	s.must("docker-compose", "--profile", "monitoring", "up", "-d", "--no-deps", "prometheus")
	base := "http://" + s.must("docker-compose", "--profile", "monitoring", "port", "prometheus", "9090")
	s.await("Prometheus has targets", func() bool {
		up, err := targets(s.Context(), base)
		return err == nil && up == n
	})
	s.log("Prometheus scrapes %d workers", n)
}
