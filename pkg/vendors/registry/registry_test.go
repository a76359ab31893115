package registry_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/vendors/registry"
)

func TestNoTwoVendorsHaveTheSameName(t *testing.T) {
	t.Parallel()
	names, titles := map[string]bool{}, map[string]bool{}
	for _, spec := range registry.All() {
		if names[spec.Name] || titles[spec.Title] {
			t.Errorf("%s (%s) is in the registry twice", spec.Name, spec.Title)
		}
		names[spec.Name], titles[spec.Title] = true, true
		if found, ok := registry.Find(spec.Name); !ok || found.Title != spec.Title {
			t.Errorf("Find(%q) finds %q", spec.Name, found.Title)
		}
	}
	if _, ok := registry.Find("nobody"); ok {
		t.Error("Find finds a vendor that does not exist")
	}
	if len(names) < 8 {
		t.Errorf("the registry has %d vendors, want at least 8", len(names))
	}
}

func TestEveryVendorFolderIsInTheRegistry(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../*/codes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var folders, names []string
	for _, p := range paths {
		folders = append(folders, filepath.Base(filepath.Dir(p)))
	}
	for _, spec := range registry.All() {
		names = append(names, spec.Name)
	}
	slices.Sort(names)
	if slices.Sort(folders); !slices.Equal(folders, names) {
		t.Errorf("the folders with a codes.tsv are %q, the registry has %q", folders, names)
	}
}

// Each vendor's own test calls the suite. This test fails for a vendor without
// that call.
func TestEveryVendorRunsTheConformanceSuite(t *testing.T) {
	t.Parallel()
	for _, spec := range registry.All() {
		text, err := os.ReadFile(filepath.Join("..", spec.Name, "conformance_test.go"))
		if err != nil {
			t.Errorf("%v: write it as docs/adding-a-vendor.md says", err)
			continue
		}
		calls := []string{`vendortest.Run(t, Spec(), "testdata")`}
		if spec.Receipts != nil {
			calls = append(calls, `vendortest.FuzzReceipts(f, Spec(), "testdata")`)
		}
		for _, call := range calls {
			if !strings.Contains(string(text), call) {
				t.Errorf("conformance_test.go of %s lacks %s", spec.Name, call)
			}
		}
	}
}

func TestClientsKnowWhatTheSpecsSay(t *testing.T) {
	t.Parallel()
	all := registry.ForClient()
	for i, spec := range registry.All() {
		v := all[i]
		if v.Name != spec.Name || v.Batch != spec.Batch || v.MinBatch != spec.MinBatch || v.TestBatch != spec.TestBatch || v.Check == nil {
			t.Errorf("got %+v for %s", v, spec.Name)
		}
	}
	if got := strings.Split(registry.Names(), ", "); len(got) != len(all) || got[0] != all[0].Name {
		t.Errorf("got the names %q", got)
	}
}
