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

var runCompose = flag.Bool("compose", false, "start docker-compose.yml with Docker")

// requireDocker skips a test without -compose or Docker. The latter is also printed on stderr.
func requireDocker(t *testing.T) {
	t.Helper()
	if !*runCompose {
		t.Skip("needs -compose")
	}
	s := &system{T: t}
	for _, command := range [][]string{{"docker", "info"}, {"docker-compose", "version"}} {
		if got := s.try(command[0], command[1:]...); got.code != 0 {
			skipped := fmt.Sprintf("SKIPPED: %s does not run here, so docker-compose.yml was not tested: %s", strings.Join(command, " "), got.both())
			fmt.Fprintln(os.Stderr, skipped)
			t.Skip(skipped)
		}
	}
}

// version is the tag of an image of this run.
func version(name string) string { return fmt.Sprintf("test-%d-%s", os.Getpid(), name) }

// build builds the image of a version.
func (s *system) build(version string) {
	s.Helper()
	s.use(version)
	s.must("docker-compose", "build", "-q", "worker")
	s.log("built postrider:%s, %s bytes", version, s.must("docker", "image", "inspect", "--format", "{{.Size}}", "postrider:"+version))
}

// use sets the version of containers that are created from now on. Its image is
// removed when the test ends.
func (s *system) use(version string) {
	s.set("POSTRIDER_VERSION", version)
	s.images = append(s.images, "postrider:"+version)
}

func TestTheConfigurationHasNoWarnings(t *testing.T) {
	requireDocker(t)
	s := &system{T: t}
	for _, args := range [][]string{{"config"}, {"--profile", "tools", "--profile", "monitoring", "--profile", "grafana", "config"}} {
		if got := s.try("docker-compose", args...); got.code != 0 || got.err != "" {
			t.Errorf("docker-compose %s: exit %d, %s", strings.Join(args, " "), got.code, got.err)
		}
	}
}

// A newcomer follows the README in a terminal: up, send, Ctrl-C, down.
func TestANewcomer(t *testing.T) {
	requireDocker(t)
	s := newSystem(t, "newcomer")
	s.use(version("a"))
	up := s.command("docker-compose", "up") // also builds the image
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
	repeated := int64(0) // tokens that vendors accepted again
	// breakDuring causes a fault while requests are in flight and tokens are pending,
	// and waits for the job's end. Only tokens that were pending at the fault may be
	// sent again, and none if the fault loses no answer.
	breakDuring := func(name string, answersLost bool, fault func()) {
		t.Helper()
		v.setFaults(true)
		j := s.enqueue(name)
		jobs = append(jobs, j)
		before, requests := s.pending(j.id), s.inFlight()
		begun := time.Now()
		fault()
		took := time.Since(begun)
		after := s.pending(j.id)
		s.log("%s: took %.1f s; %d tokens were pending and %d tasks in flight before, %d tokens pending after", name, took.Seconds(), before, requests, after)
		if before == 0 || requests == 0 || after == 0 {
			t.Errorf("%s: no job was running during the fault", name)
		}
		v.setFaults(false)
		s.awaitEnd(j)
		now := v.duplicates()
		s.log("%s: %d tokens were sent again", name, now-repeated)
		if now-repeated > int64(before) || now > repeated && !answersLost {
			t.Errorf("%s: more tokens were sent again than the fault allows", name)
		}
		repeated = now
	}

	breakDuring("killed", true, func() {
		id := s.containers("worker")[0]
		s.must("docker", "kill", id)
		s.must("docker", "start", id)
		s.awaitHealthy("worker", 3)
	})
	breakDuring("cut-off", true, func() {
		id, network := s.containers("worker")[0], s.project+"_default"
		s.must("docker", "network", "disconnect", network, id)
		s.await("an unhealthy worker", func() bool {
			return s.must("docker", "inspect", "--format", "{{.State.Health.Status}}", id) == "unhealthy"
		})
		s.must("docker", "network", "connect", "--alias", "worker", network, id)
		s.awaitHealthy("worker", 3)
	})
	breakDuring("redis-replaced", true, func() {
		s.must("docker-compose", "rm", "-s", "-f", "redis") // its data remains in the volume
		s.must("docker-compose", "up", "-d", "--no-deps", "redis")
		s.awaitHealthy("redis", 1)
		s.awaitHealthy("worker", 3)
	})
	breakDuring("rolled", false, func() {
		s.use(version("b"))
		s.must("deploy/compose/roll.sh")
		s.awaitHealthy("worker", 3)
		s.wantVersion(version("b"), 4)
	})
	s.wantPassword()
	s.verify(v, jobs)
	s.wantTargets(4)

	s.must("docker-compose", "--profile", "monitoring", "down", "-v")
	s.wantNothingLeft()
	s.log("down: everything was removed")
}

// verify compares what the vendors accepted with the ledgers.
func (s *system) verify(v *vendors, jobs []job) {
	s.Helper()
	r := v.report()
	if n := r.Violations(); n > 0 {
		s.Errorf("%d violations of the vendors' protocols: %+v", n, r)
	}
	accepted := int64(0)
	for name, seen := range r.Vendors {
		want := 0
		for _, j := range jobs {
			want += j.good[name]
		}
		if seen.Distinct != int64(want) {
			s.Errorf("%s accepted %d tokens, the ledgers have %d delivered", name, seen.Distinct, want)
		}
		accepted += seen.Distinct
	}
	s.log("the vendors accepted %d tokens, the same number as in the ledgers; faults of the vendors: %v", accepted, faultCounts(r.Vendors))
}

// wantVersion fails unless all workers, including the UI's, have a version.
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

// wantPassword fails unless the UI requires its password.
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
	s.log("the UI and /postrider require the password")
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
