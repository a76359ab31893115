package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/config"
)

var update = flag.Bool("update", false, "rewrite the golden messages of testdata/busted_*.yaml")

// Every file breaks one rule; the golden file next to it has the complete message.
func TestBustedFilesSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/busted_*.yaml")
	if err != nil || len(paths) < 40 {
		t.Fatalf("got %d files (%v), want at least 40", len(paths), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		t.Run(strings.ReplaceAll(name, "_", " "), func(t *testing.T) {
			t.Parallel()
			cfg, err := config.Load(path, specs(), environ{"SECRET": "hunter2-of-the-environment"}.lookup)
			var faults *config.Error
			if !errors.As(err, &faults) || cfg != nil {
				t.Fatalf("got %v, %v, want a *config.Error and nothing else", cfg, err)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".golden", err.Error()+"\n")
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret of the file is in %q", err)
			}
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
