package postrider_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/push/lua"
)

// texts reads all files of the module whose names end in one of the endings, by
// their paths.
func texts(t *testing.T, endings ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		}
		for _, ending := range endings {
			if !d.IsDir() && strings.HasSuffix(p, ending) {
				text, err := os.ReadFile(p)
				if err != nil {
					return err
				}
				all[filepath.ToSlash(p)] = string(text)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const (
	preludes = "pkg/push/wire/prelude"
	// guard precedes asynq's own scripts, so it has no names for keys and arguments.
	guard = "internal/queue/guard.lua"
)

// That callers pass what a header names is checked by each call: see lua.Call.
func TestEveryScriptHasAHeaderAndUsesWhatItNames(t *testing.T) {
	t.Parallel()
	all, code := texts(t, ".lua"), texts(t, ".go")
	if len(all) < 40 {
		t.Fatalf("found %d scripts, want all of them", len(all))
	}
	for name, text := range all {
		if path.Dir(name) == preludes || name == guard {
			continue
		}
		s, err := lua.Parse(name, text)
		if err != nil {
			t.Error(err)
			continue
		}
		body := s.Body()
		for _, n := range s.Names() {
			if !regexp.MustCompile(`\b` + n + `\b`).MatchString(body) {
				t.Errorf("%s: the header names %s, which the script does not use", name, n)
			}
		}
		if strings.Contains(body, "KEYS[") || strings.Contains(body, "ARGV[") {
			t.Errorf("%s: the script counts its keys or arguments: name them in the header", name)
		}
		if !strings.HasPrefix(text, "-- ") || !strings.Contains(text, "\n-- Returns ") {
			t.Errorf("%s: the header does not say what the script does and returns", name)
		}
		if !loaded(code, name) {
			t.Errorf("%s: no Go file loads it", name)
		}
	}
}

// loaded reports whether a Go file of the script's folder, or of the one above it,
// loads the script.
func loaded(code map[string]string, script string) bool {
	for name, text := range code {
		folder := path.Dir(name)
		if within(script, folder) && strings.Contains(text, `lua.Load(scripts, "`+strings.TrimPrefix(script, folder+"/")+`")`) {
			return true
		}
	}
	return false
}

func TestScriptsAreLoadedInOnePlace(t *testing.T) {
	t.Parallel()
	for name, text := range texts(t, ".go") {
		asynqs := name == "internal/queue/guard.go" // it runs asynq's scripts
		if strings.HasSuffix(name, "_test.go") || within(name, "pkg/push/lua") || asynqs {
			continue
		}
		if strings.Contains(text, "redis.NewScript(") || strings.Contains(text, `"NOSCRIPT`) {
			t.Errorf("%s loads a script: pkg/push/lua does", name)
		}
	}
}

// asynqs matches asynq's keys and the fields of its tasks that no other key has.
var asynqs = regexp.MustCompile("[\"'`]asynq:|pending_since|'msg'|HM?Get\\(.*\"msg\"")

func TestKeysHaveTheirNamesInWire(t *testing.T) {
	t.Parallel()
	names := regexp.MustCompile("[\"`']postrider:")
	for name, text := range texts(t, ".go", ".lua") {
		switch {
		case strings.HasSuffix(name, "_test.go"), within(name, "pkg/push/wire"):
		case within(name, "internal/preflight"): // an ACL names keys by their beginning
		default:
			for range names.FindAllString(text, -1) {
				t.Errorf("%s writes out the name of a key: it belongs into pkg/push/wire", name)
			}
		}
	}
}

func TestOnlyTheQueueAndWireKnowWhatAsynqKeepsInRedis(t *testing.T) {
	t.Parallel()
	found := 0
	for name, text := range texts(t, ".go", ".lua") {
		switch {
		case within(name, "internal/queue"), within(name, "pkg/push/wire"):
			found += len(asynqs.FindAllString(text, -1))
		case strings.HasSuffix(name, "_test.go"):
		case within(name, "internal/preflight"): // an ACL names keys by what they begin with
		default:
			for _, m := range asynqs.FindAllString(text, -1) {
				t.Errorf("%s has %s: use the keys and functions of pkg/push/wire, or internal/queue", name, m)
			}
		}
	}
	if found == 0 {
		t.Error("nobody knows asynq's keys: the pattern is wrong")
	}
}
