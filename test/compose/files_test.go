package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

const (
	root       = "../.." // the repository's root
	secretsDir = root + "/deploy/compose/secrets"
	ourImage   = "postrider:${POSTRIDER_VERSION:-dev}"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// service has the fields of a docker-compose.yml service that the tests check.
type service struct {
	Image       string
	Build       map[string]any
	Grace       string `yaml:"stop_grace_period"`
	Restart     string
	User        string
	ReadOnly    bool     `yaml:"read_only"`
	CapDrop     []string `yaml:"cap_drop"`
	Secrets     []string
	Ports       []string
	Profiles    []string
	Healthcheck map[string]any
}

type composeFile struct {
	Version  string
	Services map[string]service
	Secrets  map[string]struct{ File string }
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	var f composeFile
	// A key of a service overrides the same key of an anchor, so it is not a duplicate.
	text := strings.NewReader(read(t, "docker-compose.yml"))
	if err := yaml.NewDecoder(text, yaml.AllowDuplicateMapKey()).Decode(&f); err != nil {
		t.Fatal(err)
	}
	if len(f.Services) < 7 {
		t.Fatalf("docker-compose.yml has %d services", len(f.Services))
	}
	return f
}

// readConfig reads the workers' configuration, with the secrets of the repository in
// place of those in the containers.
func readConfig(t *testing.T) *config.Config {
	t.Helper()
	const name = "deploy/compose/postrider.yaml"
	cfg, err := config.Parse(name, []byte(read(t, name)), registry.All(), config.Source{ReadFile: func(path string) ([]byte, error) {
		return os.ReadFile(filepath.Join(secretsDir, strings.TrimPrefix(path, "/run/secrets/")))
	}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestTheConfigurationIsAWorkers(t *testing.T) {
	t.Parallel()
	if err := readConfig(t).CheckWorker(); err != nil {
		t.Error(err)
	}
	if n := len(composed(t)); n < 8 {
		t.Errorf("the app shop has %d vendors, want at least 8", n)
	}
}

// composed are the vendors that the configuration has, in the registry's order. A
// new vendor may be added to it and to the secrets, but need not.
func composed(t *testing.T) []string {
	t.Helper()
	have := readConfig(t).Apps["shop"].Vendors
	var names []string
	for _, spec := range registry.All() {
		if have[spec.Name] != nil {
			names = append(names, spec.Name)
		}
	}
	return names
}

func TestTheGracePeriodIsLongerThanTheShutdownTimeout(t *testing.T) {
	t.Parallel()
	shutdown := readConfig(t).Worker.ShutdownTimeout
	f := readCompose(t)
	for _, name := range []string{"worker", "ui"} {
		grace, err := time.ParseDuration(f.Services[name].Grace)
		if err != nil || grace < shutdown+5*time.Second {
			t.Errorf("%s: stop_grace_period is %q (%v), want 5 s more than worker.shutdown_timeout, which is %v", name, f.Services[name].Grace, err, shutdown)
		}
	}
}

func TestServicesAreHardenedAndBuilt(t *testing.T) {
	t.Parallel()
	f := readCompose(t)
	if f.Version != "" {
		t.Error("docker-compose.yml has a version, about which Compose v2 warns")
	}
	for name, s := range f.Services {
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Errorf("%s may write its root file system or has capabilities", name)
		}
		if s.Image == ourImage {
			// Without build, docker-compose would try to pull the image.
			if s.Build["dockerfile"] != "deploy/docker/Dockerfile" {
				t.Errorf("%s is not built from deploy/docker/Dockerfile: %v", name, s.Build)
			}
		} else if _, tag, ok := strings.Cut(s.Image, ":"); !ok || tag == "latest" {
			t.Errorf("%s: image %s has no concrete tag", name, s.Image)
		}
		for _, port := range s.Ports {
			if !strings.Contains(port, ":-127.0.0.1:") {
				t.Errorf("%s: port %s is open to other machines by default", name, port)
			}
		}
		if len(s.Profiles) == 0 && len(s.Healthcheck) == 0 {
			t.Errorf("%s has no healthcheck", name)
		}
	}
	if len(f.Services["worker"].Ports) > 0 {
		t.Error("worker has a host port, so it cannot be scaled")
	}
}

func TestSecretsOpenOnlyTheSimulator(t *testing.T) {
	t.Parallel()
	f := readCompose(t)
	demo := simulator.DemoCredential().Secret
	for name, s := range f.Secrets {
		if text := strings.TrimSpace(read(t, s.File)); text != demo && name != "harmony.pem" && name != "ui-password" {
			t.Errorf("%s is not the simulator's demo secret", s.File)
		}
		for _, service := range []string{"worker", "ui"} {
			if !slices.Contains(f.Services[service].Secrets, name) {
				t.Errorf("%s lacks the secret %s", service, name)
			}
		}
	}
	if !strings.Contains(read(t, "pkg/vendors/harmony/demo.yaml"), strings.Split(read(t, "deploy/compose/secrets/harmony.pem"), "\n")[1]) {
		t.Error("harmony.pem is not the demo's key")
	}
}

// Some machines have only Docker's classic builder.
func TestTheDockerfileNeedsNoBuildKit(t *testing.T) {
	t.Parallel()
	text := read(t, "deploy/docker/Dockerfile")
	for _, no := range []string{"RUN --mount", "<<", "# syntax", "--chmod", "--link"} {
		if strings.Contains(text, no) {
			t.Errorf("the Dockerfile contains %q", no)
		}
	}
	for _, yes := range []string{"FROM scratch", "USER 65532:65532", "CGO_ENABLED=0", "-trimpath"} {
		if !strings.Contains(text, yes) {
			t.Errorf("the Dockerfile lacks %q", yes)
		}
	}
}

func TestPrometheusAcceptsItsConfiguration(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "config", filepath.Join(root, "deploy/monitoring/prometheus.yml")).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
