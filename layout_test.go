// Package postrider_test checks rules of the whole module: which package may import
// which, and that generated documents are up to date.
package postrider_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/postrider/postrider/"

// mayImport lists which of the module's packages each package may import. Imports
// point down the list and never up. A new package needs a row, and a new import a
// reason.
var mayImport = map[string][]string{
	"cmd/worker": {
		"internal/buildinfo", "internal/cli", "internal/config", "internal/demo", "internal/healthcheck",
		"internal/ledger", "internal/logging", "internal/preflight", "internal/worker",
		"pkg/push/text", "pkg/push/wire", "pkg/vendors", "pkg/vendors/httpx", "pkg/vendors/registry",
	},
	"cmd/enqueue": {
		"internal/account", "internal/buildinfo", "internal/cli", "internal/config", "internal/deadletter",
		"internal/feed", "internal/intake", "internal/ledger", "internal/queue", "internal/status",
		"pkg/classify", "pkg/push", "pkg/push/text", "pkg/push/wire", "pkg/vendors/registry",
	},
	"cmd/simulator": {"internal/buildinfo", "internal/cli", "internal/healthcheck", "internal/simulator"},

	"internal/demo": {"internal/config", "internal/ledger", "internal/simulator", "internal/worker", "pkg/push", "pkg/vendors/registry"},
	"internal/worker": {
		"internal/accesstoken", "internal/account", "internal/clock", "internal/config", "internal/coord",
		"internal/dispatch", "internal/feed", "internal/intake", "internal/ledger", "internal/limit",
		"internal/metrics", "internal/queue", "internal/receipt", "internal/secret", "internal/status",
		"internal/upload",
		"pkg/push", "pkg/push/wire", "pkg/retry", "pkg/vendors", "pkg/vendors/httpx", "pkg/vendors/registry",
	},
	"internal/status": {
		"internal/account", "internal/deadletter", "internal/ledger", "internal/limit", "internal/queue",
		"pkg/push", "pkg/push/wire",
	},
	"internal/receipt": {
		"internal/account", "internal/coord", "internal/dispatch", "internal/ledger", "internal/logging",
		"internal/secret",
		"pkg/classify", "pkg/push/wire", "pkg/vendors",
	},
	"internal/account": {"internal/config", "pkg/classify", "pkg/push", "pkg/vendors"},
	"internal/clock":   {},
	"internal/metrics": {"internal/account", "internal/limit", "internal/status", "pkg/classify", "pkg/push/wire", "pkg/vendors"},
	"internal/dispatch": {
		"internal/accesstoken", "internal/account", "internal/coord", "internal/dispatch/group",
		"internal/dispatch/slots", "internal/ledger", "internal/queue", "internal/upload",
		"pkg/classify", "pkg/push", "pkg/push/wire", "pkg/retry", "pkg/vendors", "pkg/vendors/httpx",
	},
	"internal/dispatch/group": {"internal/account", "internal/coord", "pkg/push", "pkg/push/wire", "pkg/vendors"},
	"internal/dispatch/slots": {"pkg/push"},
	"internal/queue":          {"internal/coord", "internal/logging", "pkg/push", "pkg/push/lua", "pkg/push/wire"},
	"internal/logging":        {"pkg/push/text"},
	"internal/queue/baseline": {},
	"internal/accesstoken":    {"internal/coord", "pkg/classify", "pkg/push/lua", "pkg/push/wire", "pkg/vendors"},
	"internal/upload":         {"internal/coord", "pkg/push/wire", "pkg/vendors"},
	"internal/limit":          {"pkg/push/lua", "pkg/push/wire"},
	"internal/ledger":         {"internal/coord", "pkg/push/lua", "pkg/push/text", "pkg/push/wire"},
	"internal/deadletter":     {"internal/coord", "pkg/push", "pkg/push/lua", "pkg/push/wire"},
	"internal/feed": {
		"internal/accesstoken", "internal/account", "internal/coord", "internal/ledger",
		"pkg/classify", "pkg/push/lua", "pkg/push/wire", "pkg/vendors",
	},
	"internal/coord":              {"pkg/push/lua", "pkg/push/wire"},
	"internal/intake":             {"internal/coord", "pkg/push", "pkg/push/lua", "pkg/push/text", "pkg/push/wire"},
	"internal/buildinfo":          {},
	"internal/healthcheck":        {},
	"internal/preflight":          {},
	"internal/config":             {"pkg/classify", "pkg/push", "pkg/push/text", "pkg/vendors", "pkg/vendors/httpx"}, // vendors are handed to it
	"internal/simulator":          {"internal/simulator/*", "internal/simulator/play"},                               // nothing of pkg: a fake that shared our types would prove nothing
	"internal/simulator/*":        {"internal/simulator/play"},
	"internal/simulator/play":     {},
	"internal/simulator/playtest": {"internal/simulator/play", "pkg/push", "pkg/vendors", "pkg/vendors/httpx"}, // it calls the adapters under test
	"internal/redistest":          {},
	"internal/stalltest":          {},
	"internal/vendortest":         {"pkg/classify", "pkg/push", "pkg/vendors", "pkg/vendors/httpx"}, // it reads what the adapters under test return
	"internal/cli":                {"pkg/push/text"},
	"internal/secret":             {},

	"test/bench":   {},
	"test/e2e":     {},
	"test/chaos":   {},
	"test/compose": {},

	"pkg/vendors/registry": {"pkg/push", "pkg/vendors", "pkg/vendors/*"},
	"pkg/vendors/*": {
		"pkg/classify", "pkg/push", "pkg/vendors", "pkg/vendors/body", "pkg/vendors/httpx", "pkg/vendors/oauth",
		"pkg/vendors/receipts",
	},
	"pkg/vendors/oauth":    {"pkg/classify", "pkg/vendors", "pkg/vendors/body", "pkg/vendors/httpx"},
	"pkg/vendors/receipts": {"pkg/vendors"},
	"pkg/vendors/httpx":    {"pkg/classify", "pkg/push", "pkg/vendors"},
	"pkg/vendors/body":     {"pkg/push"},
	"pkg/vendors":          {"pkg/classify", "pkg/push"},
	"pkg/retry":            {"pkg/classify", "pkg/push/wire"},
	"pkg/push":             {"pkg/push/lua", "pkg/push/text", "pkg/push/wire"},
	"pkg/push/lua":         {"pkg/push/wire"},
	"pkg/push/text":        {},
	"pkg/push/wire":        {},
	"pkg/classify":         {},
}

// users lists which folders, with their subfolders, may import a library outside
// tests. A library without a row must not be imported.
var users = map[string][]string{
	"github.com/hibiken/asynq":            {"internal/queue"},
	"github.com/hibiken/asynqmon":         {"internal/queue"},
	"github.com/redis/go-redis/v9":        {"cmd/enqueue", "cmd/worker", "internal", "pkg/push"},
	"github.com/alicebob/miniredis/v2":    {"internal/demo"},
	"github.com/rs/zerolog":               {"cmd/worker", "internal"},
	"github.com/prometheus/client_golang": {"internal/metrics", "internal/worker"},
	"github.com/goccy/go-yaml":            {"internal/config", "internal/simulator/playtest", "internal/vendortest"},
	"github.com/cenkalti/backoff/v4":      {"pkg/retry", "internal/dispatch", "internal/intake", "internal/feed"},
	"github.com/golang-jwt/jwt/v5":        {"pkg/vendors", "internal/simulator"},
	"github.com/zeebo/xxh3":               {"internal/ledger", "internal/receipt", "internal/simulator", "pkg/push"},
	"google.golang.org/protobuf":          {"pkg/push/wire"},
	"golang.org/x/sync":                   {"internal"},
	"github.com/spf13/cobra":              {"cmd", "internal/cli"},
	"github.com/spf13/pflag":              {"cmd", "internal/cli"},
	"github.com/schollz/progressbar/v3":   {"cmd"},
	"golang.org/x/term":                   {"cmd", "internal/cli"},
	"go.uber.org/goleak":                  {"internal/redistest"},
	"pgregory.net/rapid":                  {"internal/vendortest"},
}

// testUsers are additional users, only for tests: the tests of internal/dispatch do
// what operators do in asynq's UI.
var testUsers = map[string][]string{"github.com/hibiken/asynq": {"internal/dispatch"}}

// source is a Go file.
type source struct {
	folder, name string
	pkg, doc     string
	imports      []string
	lines        int
}

func (s source) test() bool   { return strings.HasSuffix(s.name, "_test.go") }
func (s source) path() string { return path.Join(s.folder, s.name) }

// sources reads the package clause and imports of every Go file of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go"):
			return nil
		}
		s, err := readSource(p)
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("found %d files, want the whole module", len(all))
	}
	return all
}

func readSource(p string) (source, error) {
	text, err := os.ReadFile(p)
	if err != nil {
		return source{}, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), p, text, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return source{}, err
	}
	s := source{
		folder: filepath.ToSlash(filepath.Dir(p)), name: filepath.Base(p), pkg: f.Name.Name, doc: f.Doc.Text(),
		lines: bytes.Count(text, []byte("\n")),
	}
	for _, i := range f.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return source{}, err
		}
		s.imports = append(s.imports, name)
	}
	return s, nil
}

// row returns the key of a folder in mayImport.
func row(folder string) string {
	if _, ok := mayImport[folder]; !ok && (path.Dir(folder) == "pkg/vendors" || path.Dir(folder) == "internal/simulator") {
		return path.Dir(folder) + "/*"
	}
	return folder
}

// vendor is the vendor whose adapter or player a folder is, or "".
func vendor(folder string) string {
	if strings.HasSuffix(row(folder), "/*") {
		return path.Base(folder)
	}
	return ""
}

func TestImportsPointDownTheLayoutAndNeverBack(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.test() {
			continue
		}
		allowed, ok := mayImport[row(s.folder)]
		if !ok {
			t.Errorf("%s has no row in mayImport: add one with the packages that it may import", s.folder)
			continue
		}
		for _, i := range s.imports {
			if ours, is := strings.CutPrefix(i, module); is && !slices.Contains(allowed, ours) && !slices.Contains(allowed, row(ours)) {
				t.Errorf("%s imports %s, which %s must not import: see mayImport", s.path(), ours, s.folder)
			}
		}
	}
}

func TestTheTableHasOnlyExistingPackages(t *testing.T) {
	t.Parallel()
	exists := map[string]bool{}
	for _, s := range sources(t) {
		exists[row(s.folder)] = true
	}
	for folder, allowed := range mayImport {
		for _, name := range append(allowed, folder) {
			if !exists[name] {
				t.Errorf("mayImport has %s, which is not a package", name)
			}
		}
	}
}

func TestTheTableHasOnlyImportsThatExist(t *testing.T) {
	t.Parallel()
	used := map[[2]string]bool{}
	for _, s := range sources(t) {
		for _, i := range s.imports {
			if ours, is := strings.CutPrefix(i, module); is && !s.test() {
				used[[2]string{row(s.folder), ours}] = true
				used[[2]string{row(s.folder), row(ours)}] = true
			}
		}
	}
	for folder, allowed := range mayImport {
		for _, name := range allowed {
			if !used[[2]string{folder, name}] {
				t.Errorf("mayImport lets %s import %s, which it does not: remove the entry", folder, name)
			}
		}
	}
}

func TestTheArchitectureNamesEveryPackage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	for folder := range mayImport {
		// The table of packages leaves "internal/" out behind the first of a row.
		folder = strings.Replace(folder, "/*", "/<name>", 1)
		short := strings.TrimPrefix(folder, "internal/")
		if within(folder, "cmd") || bytes.Contains(text, []byte("`"+folder+"`")) {
			continue
		}
		if !bytes.Contains(text, []byte("`"+short+"`")) {
			t.Errorf("docs/architecture.md does not name %s: add a sentence about its purpose to the table of packages", folder)
		}
	}
}

func TestLibrariesAreImportedOnlyByTheirUsers(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, i := range s.imports {
			if !thirdParty(i) || s.test() && !strings.Contains(i, "hibiken") {
				continue
			}
			library := libraryOf(i)
			allowed := users[library]
			if s.test() {
				allowed = slices.Concat(allowed, testUsers[library])
			}
			if !slices.ContainsFunc(allowed, func(folder string) bool { return within(s.folder, folder) }) {
				t.Errorf("%s imports %s, which only %q may import: see users", s.path(), i, allowed)
			}
		}
	}
}

func thirdParty(name string) bool {
	host, _, _ := strings.Cut(name, "/")
	return strings.Contains(host, ".") && !strings.HasPrefix(name, module)
}

// libraryOf returns the library in users that an import belongs to, or "".
func libraryOf(name string) string {
	for library := range users {
		if within(name, library) {
			return library
		}
	}
	return ""
}

// within reports whether name is above or in a folder below it.
func within(name, above string) bool { return name == above || strings.HasPrefix(name, above+"/") }

func TestPkgDoesNotImportInternal(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, i := range s.imports {
			inside := strings.HasPrefix(i, module+"internal/")
			forPkg := i == module+"internal/redistest" || i == module+"internal/vendortest"
			if inside && within(s.folder, "pkg") && (!s.test() || !forPkg) {
				t.Errorf("%s imports %s: pkg never imports internal", s.path(), i)
			}
			if forTests := forPkg || i == module+"internal/simulator/playtest"; forTests && !s.test() {
				t.Errorf("%s imports %s: it is for tests", s.path(), i)
			}
		}
	}
}

func TestAVendorKnowsNoOtherVendor(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		own := vendor(s.folder)
		if own == "" {
			continue
		}
		for _, i := range s.imports {
			ours, is := strings.CutPrefix(i, module)
			if other := vendor(ours); is && other != "" && other != own {
				t.Errorf("%s imports vendor %s", s.path(), other)
			}
		}
	}
}

func TestPackageNamesSayWhatPackagesKnow(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, name := range append(strings.Split(s.folder, "/"), strings.TrimSuffix(s.pkg, "_test")) {
			for _, vague := range []string{"util", "common", "type", "helper", "manager", "impl", "base", "misc", "shared"} {
				if name == vague || name == vague+"s" {
					t.Errorf("%s: the name %q is vague: name the package after what it knows", s.path(), name)
				}
			}
		}
	}
}

func TestEveryPackageHasOnePackageComment(t *testing.T) {
	t.Parallel()
	comments, name := map[string]int{}, map[string]string{}
	for _, s := range sources(t) {
		if s.test() && s.folder != "." {
			continue
		}
		name[s.folder] = "Package " + s.pkg + " "
		if s.pkg == "main" {
			name[s.folder] = "Command " + path.Base(s.folder) + " "
		}
		if s.doc == "" {
			continue
		}
		comments[s.folder]++
		if !strings.HasPrefix(s.doc, name[s.folder]) {
			t.Errorf("%s begins with %q, want %q", s.path(), strings.SplitN(s.doc, "\n", 2)[0], name[s.folder])
		}
	}
	for folder, want := range name {
		if comments[folder] != 1 {
			t.Errorf("%s has %d package comments, want one that begins with %q", folder, comments[folder], want)
		}
	}
}

func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	const most = 400
	for _, s := range sources(t) {
		if !s.test() && s.lines > most {
			t.Errorf("%s has %d lines, at most %d", s.path(), s.lines, most)
		}
	}
}
