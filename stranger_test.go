package postrider_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const guide = "docs/adding-a-vendor.md"

// TestAStrangerAddsAVendor does what docs/adding-a-vendor.md says, in a copy of
// the module: it writes the files of the guide, adds the lines to the registries,
// and runs the checks. A code block of the guide that is broken fails it.
func TestAStrangerAddsAVendor(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a copy of the module")
	}
	t.Parallel()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := readGuide(string(text))
	if err != nil {
		t.Fatal(err)
	}
	c := copyModule(t)
	player := false
	for _, b := range blocks {
		c.write(b)
		player = player || within(b.file, "internal/simulator/nimbus")
	}
	c.run("go", "vet", "./pkg/vendors/nimbus", "./pkg/vendors/registry", "./internal/vendortest", "./internal/simulator/...", "./internal/demo")
	c.run("gofmt", "-l", "pkg/vendors/nimbus")
	c.run("go", "test", "./pkg/vendors/nimbus", "-update")
	c.run("go", "test", "-count=1", "./pkg/vendors/nimbus", "./pkg/vendors/registry")
	c.run("go", "test", ".", "-run", "TestDocumentsFollowFromTheData", "-update")
	c.run("go", "test", "-short", "-count=1", ".", "./internal/config")
	for _, name := range []string{"docs/codes/nimbus.md", "docs/mapping.md", "internal/config/postrider.example.yaml"} {
		if text, err := os.ReadFile(filepath.Join(c.dir, name)); err != nil || !bytes.Contains(text, []byte("nimbus")) {
			t.Errorf("%s does not follow from the registry (%v)", name, err)
		}
	}
	if player {
		c.run("go", "run", "./cmd/worker", "demo", "--exit", "--tokens", "2000")
	}
}

// block is one code block of the guide that belongs into a file.
type block struct {
	file string
	diff bool // lines to add after the lines that are there
	text string
}

var fileLine = regexp.MustCompile("^\\*\\*`([^`]+)`\\*\\*$")

// readGuide finds the code blocks. A line with nothing but a file name in bold
// names the file of the blocks below it; a block of kind diff adds lines to one
// that exists. Blocks of kind sh are for people.
func readGuide(text string) ([]block, error) {
	var all []block
	file, open := "", (*block)(nil)
	for i, line := range strings.Split(text, "\n") {
		switch kind, fence := strings.CutPrefix(line, "```"); {
		case fence && open == nil:
			open = &block{file: file, diff: kind == "diff"}
			if kind == "sh" {
				open.file = ""
			} else if file == "" {
				return nil, fmt.Errorf("line %d: a code block without a file name", i+1)
			}
		case fence:
			if open.file != "" {
				all = append(all, *open)
			}
			if !open.diff {
				file = ""
			}
			open = nil
		case open != nil:
			open.text += line + "\n"
		default:
			if m := fileLine.FindStringSubmatch(line); m != nil {
				file = m[1]
			}
		}
	}
	if open != nil || len(all) < 10 {
		return nil, fmt.Errorf("found %d code blocks with a file name, want at least 10, each with an end", len(all))
	}
	return all, nil
}

// moduleCopy is a copy of this module.
type moduleCopy struct {
	*testing.T
	dir string
}

// copyModule copies the working tree without version control.
func copyModule(t *testing.T) *moduleCopy {
	t.Helper()
	c := &moduleCopy{t, t.TempDir()}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == ".git":
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case d.IsDir():
			return os.MkdirAll(filepath.Join(c.dir, path), 0o750)
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(c.dir, path), text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// write writes a code block to its file.
func (c *moduleCopy) write(b block) {
	c.Helper()
	path := filepath.Join(c.dir, filepath.FromSlash(b.file))
	if !b.diff {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			c.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.text), 0o600); err != nil {
			c.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		c.Fatal(err)
	}
	after, there := "", string(text)
	for line := range strings.Lines(b.text) {
		switch {
		case strings.HasPrefix(line, "+"):
			there = strings.Replace(there, after, after+line[1:], 1)
			after += line[1:]
		case strings.Count(there, line[1:]) == 1:
			after = line[1:]
		default:
			c.Fatalf("%s does not have the line %q once", b.file, line[1:])
		}
	}
	if err := os.WriteFile(path, []byte(there), 0o600); err != nil {
		c.Fatal(err)
	}
}

// run runs a command in the copy, which has to succeed; gofmt has to be silent too.
func (c *moduleCopy) run(name string, args ...string) {
	c.Helper()
	cmd := exec.CommandContext(c.Context(), name, args...)
	cmd.Dir = c.dir
	// Paths are left out of what is compiled, so that the next run finds it in the cache.
	cmd.Env = append(os.Environ(), "GOFLAGS=-trimpath")
	out, err := cmd.CombinedOutput()
	if err != nil || name == "gofmt" && len(out) > 0 {
		c.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func TestTheGuideIsRead(t *testing.T) {
	t.Parallel()
	blocks := strings.Repeat("**`a.go`**\n\n```go\npackage a\n```\n\n", 10)
	got, err := readGuide(blocks + "**`b.go`**\n\n```diff\n x\n+y\n```\n\n```diff\n z\n+w\n```\n\n```sh\nmake\n```\n")
	if err != nil || len(got) != 12 {
		t.Fatalf("got %d blocks (%v), want 12", len(got), err)
	}
	if a, b := got[0], got[11]; a.file != "a.go" || a.text != "package a\n" || a.diff || b.file != "b.go" || b.text != " z\n+w\n" || !b.diff {
		t.Errorf("got %+v and %+v", a, b)
	}
	for name, text := range map[string]string{"no file name": blocks + "```go\n```\n", "no end": blocks + "**`b`**\n```go\n", "no blocks": "text"} {
		if _, err := readGuide(text); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}
