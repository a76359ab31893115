package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// Parse returns a usable configuration or an *Error for any input.
func FuzzParse(f *testing.F) {
	paths, err := filepath.Glob("testdata/busted_*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add(full)
	f.Add(config.Example(registry.All()))
	f.Add("a: &a *a")
	f.Add("apps: &a {shop: {huawei: *a}}")
	f.Add("{{[[")
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := parse(text, environ{"SECRET": "s"}, disk{"conf/secret.txt": "s"})
		var faults *config.Error
		switch {
		case err == nil && cfg == nil:
			t.Fatal("got neither a configuration nor an error")
		case err != nil && (cfg != nil || !errors.As(err, &faults) || len(faults.Faults) == 0):
			t.Fatalf("got %v and %v, want an *Error with faults and nothing else", cfg, err)
		case err == nil:
			checkUsable(t, cfg)
		}
	})
}

func checkUsable(t *testing.T, cfg *config.Config) {
	t.Helper()
	if _, err := cfg.RedisOptions(); err != nil {
		t.Errorf("got %v after the file was accepted", err)
	}
	for name, app := range cfg.Apps {
		if len(app.Vendors) == 0 {
			t.Errorf("%s: got an app without a vendor", name)
		}
		for _, a := range app.Vendors {
			if a.Timeout >= cfg.Worker.ShutdownTimeout || a.Batch < 1 || a.Delivery == "" || a.Receipts.Key == "" || len(a.Settings.Faults()) > 0 {
				t.Errorf("%s: got %+v", name, a)
			}
		}
	}
}
