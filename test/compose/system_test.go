package compose

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/ledger"
)

// timeout bounds waits for containers on a busy machine.
const timeout = 10 * time.Minute

// system is a private compose project.
type system struct {
	*testing.T
	project string
	env     []string
	images  []string // removed at the end
	begun   time.Time
}

// newSystem creates a project whose image has its own tag. It is removed when the test
// ends.
func newSystem(t *testing.T, name string, files ...string) *system {
	t.Helper()
	s := &system{T: t, project: fmt.Sprintf("postrider-%s-%d", name, os.Getpid()), begun: time.Now()}
	s.set("COMPOSE_PROJECT_NAME", s.project)
	s.set("COMPOSE_FILE", strings.Join(append([]string{"docker-compose.yml"}, files...), ":"))
	s.set("COMPOSE_PROFILES", "")
	s.set("POSTRIDER_UI", "127.0.0.1:") // Docker chooses a free port
	s.set("POSTRIDER_PROMETHEUS", "127.0.0.1:")
	t.Cleanup(func() {
		if t.Failed() {
			s.log("the end of the log:\n%s", s.try("docker-compose", "logs", "--no-color", "--tail", "40").both())
		}
		s.try("docker-compose", "--profile", "monitoring", "--profile", "tools", "down", "-v", "--remove-orphans", "-t", "5")
		for _, image := range s.images {
			s.try("docker", "rmi", image)
		}
	})
	return s
}

// set changes the environment of the commands that follow.
func (s *system) set(name, value string) { s.env = append(s.env, name+"="+value) }

// log prints a line with the time since the start.
func (s *system) log(format string, args ...any) {
	s.Helper()
	s.Logf("%6.1f s  %s", time.Since(s.begun).Seconds(), fmt.Sprintf(format, args...))
}

// output is the result of a command.
type output struct {
	code     int
	out, err string
}

func (s output) both() string { return s.out + s.err }

func (s *system) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), name, args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), s.env...)
	return cmd
}

// try runs a command.
func (s *system) try(name string, args ...string) output { return s.tryWith("", name, args...) }

func (s *system) tryWith(stdin, name string, args ...string) output {
	cmd := s.command(name, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		return output{-1, out.String(), err.Error()}
	}
	return output{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// must runs a command that must succeed, and returns its stdout.
func (s *system) must(name string, args ...string) string {
	s.Helper()
	got := s.try(name, args...)
	if got.code != 0 {
		s.Fatalf("%s %s: exit %d: %s", name, strings.Join(args, " "), got.code, got.both())
	}
	return strings.TrimSpace(got.out)
}

// await waits until done returns true, and fails the test after timeout.
func (s *system) await(what string, done func() bool) {
	s.Helper()
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	for deadline := time.After(timeout); !done(); {
		select {
		case <-t.C:
		case <-deadline:
			s.Fatalf("timeout while waiting for: %s", what)
		}
	}
}

// containers returns the running containers of a service.
func (s *system) containers(service string) []string {
	s.Helper()
	return strings.Fields(s.must("docker", "ps", "-q", "--no-trunc",
		"--filter", "label=com.docker.compose.project="+s.project, "--filter", "label=com.docker.compose.service="+service,
		"--filter", "label=com.docker.compose.oneoff=False"))
}

func (s *system) container(service string) string {
	s.Helper()
	all := s.containers(service)
	if len(all) != 1 {
		s.Fatalf("%s has %d containers, want one", service, len(all))
	}
	return all[0]
}

// awaitHealthy waits until a service has n containers, all of them healthy.
func (s *system) awaitHealthy(service string, n int) {
	s.Helper()
	s.await(fmt.Sprintf("%d healthy containers of %s", n, service), func() bool {
		all := s.containers(service)
		return len(all) == n && !slices.ContainsFunc(all, func(id string) bool {
			return strings.TrimSpace(s.try("docker", "inspect", "--format", "{{.State.Health.Status}}", id).out) != "healthy"
		})
	})
}

// address returns the address at which a service's port is published.
func (s *system) address(service, port string) string {
	s.Helper()
	return s.must("docker-compose", "port", service, port)
}

// status reads a job's ledger, which must balance; false while Redis is unreachable.
func (s *system) status(job string) (ledger.Status, bool) {
	s.Helper()
	got := s.try("docker", "exec", s.container("ui"), "enqueue", "status", job, "--json")
	if got.code != 0 {
		return ledger.Status{}, false
	}
	var st ledger.Status
	if err := json.Unmarshal([]byte(got.out), &st); err != nil {
		s.Fatalf("status of %s: %v: %s", job, err, got.both())
	}
	if sum := st.Delivered + st.Invalid + st.Dropped + st.Expired + st.Dead + st.Canceled + st.Pending; sum != st.Accepted {
		s.Fatalf("the ledger of %s does not balance: %+v", job, st)
	}
	return st, true
}

// pending waits until Redis answers and returns a job's pending tokens.
func (s *system) pending(job string) int {
	s.Helper()
	var st ledger.Status
	s.await("the ledger of "+job, func() (ok bool) {
		st, ok = s.status(job)
		return ok
	})
	return st.Pending
}

// wantNothingLeft fails if Docker still has containers, volumes or networks of the project.
func (s *system) wantNothingLeft() {
	s.Helper()
	label := "label=com.docker.compose.project=" + s.project
	for what, left := range map[string]string{
		"containers": s.must("docker", "ps", "-aq", "--filter", label),
		"volumes":    s.must("docker", "volume", "ls", "-q", "--filter", label),
		"networks":   s.must("docker", "network", "ls", "-q", "--filter", label),
	} {
		if left != "" {
			s.Errorf("down left %s: %s", what, left)
		}
	}
}

// abs returns the absolute path of a testdata file.
func abs(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
