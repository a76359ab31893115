package postrider_test

import (
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// document is a Markdown file. prose is its text without fenced code blocks, and
// code is its inline code and fenced blocks, line by line.
type document struct{ name, prose, code string }

// documents reads every Markdown file of the module.
func documents(t *testing.T) []document {
	t.Helper()
	var all []document
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (p != "." && strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || path.Ext(p) != ".md":
			return nil
		}
		text, err := os.ReadFile(p)
		all = append(all, newDocument(filepath.ToSlash(p), string(text)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 30 {
		t.Fatalf("found %d documents, want all of them", len(all))
	}
	return all
}

func newDocument(name, text string) document {
	d := document{name: name, prose: fences.ReplaceAllString(text, "")}
	code := fences.FindAllString(text, -1)
	for _, m := range inline.FindAllStringSubmatch(d.prose, -1) {
		code = append(code, m[1])
	}
	d.code = strings.Join(code, "\n")
	return d
}

var (
	fences   = regexp.MustCompile("(?ms)^```.*?^```$")
	inline   = regexp.MustCompile("`([^`\n]+)`")
	links    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headings = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	inLink   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

func TestDocumentsHaveNoBrokenLinks(t *testing.T) {
	t.Parallel()
	anchors := map[string][]string{}
	for _, d := range documents(t) {
		anchors[d.name] = anchorsOf(d.prose)
	}
	checked := 0
	for _, d := range documents(t) {
		for _, m := range links.FindAllStringSubmatch(d.prose, -1) {
			target, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: link %s: %v", d.name, m[1], err)
				continue
			}
			if target.Scheme != "" {
				continue
			}
			checked++
			file := d.name
			if target.Path != "" {
				file = path.Join(path.Dir(d.name), target.Path)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: link %s: there is no %s", d.name, m[1], file)
				continue
			}
			if target.Fragment != "" && !slices.Contains(anchors[file], target.Fragment) {
				t.Errorf("%s: link %s: %s has no such heading, but %q", d.name, m[1], file, anchors[file])
			}
		}
	}
	if checked < 100 {
		t.Errorf("checked %d links, want those of all documents", checked)
	}
}

// anchorsOf lists the anchors that GitHub makes of a document's headings.
func anchorsOf(prose string) []string {
	var all []string
	for _, m := range headings.FindAllStringSubmatch(prose, -1) {
		title := strings.ToLower(inLink.ReplaceAllString(strings.TrimSpace(m[1]), "$1"))
		all = append(all, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return r
			}
			return -1
		}, title))
	}
	return all
}

// TestDocumentsNameWhatExists finds in the documents' code what a reader would
// type or search for, and looks for it in the sources.
func TestDocumentsNameWhatExists(t *testing.T) {
	t.Parallel()
	makefile, commands := read(t, "Makefile"), goText(t, "cmd/enqueue", "cmd/worker")
	metrics, keys := goText(t, "internal/metrics", "internal/worker"), goText(t, "pkg", "internal")
	for _, c := range []struct {
		what, kind string
		named      *regexp.Regexp
		exists     func(name string) bool
		atLeast    int
	}{
		{"make target", "Makefile", regexp.MustCompile(`(?m)^(?:\$ )?make ([a-z][a-z0-9-]*)`), func(name string) bool {
			return strings.Contains(makefile, "\n"+name+":")
		}, 10},
		{"subcommand of enqueue or worker", "cmd", regexp.MustCompile(`(?m)(?:^(?:\$ )?|run --rm |exec worker |cmd/)(?:enqueue|worker) ([a-z][a-z-]*)`), func(name string) bool {
			return regexp.MustCompile(`Use: +"` + name + `\b`).MatchString(commands)
		}, 10},
		{"metric", "internal/metrics", regexp.MustCompile(`(?m)^postrider_([a-z_]+)(?:\{|$)`), func(name string) bool {
			return regexp.MustCompile(`"(postrider_)?` + name + `"`).MatchString(metrics)
		}, 30},
		{"Redis key", "a source", regexp.MustCompile(`\bpostrider:([a-z]+)`), func(name string) bool {
			return strings.Contains(keys, `"postrider:`+name)
		}, 20},
		{"file", "the module", regexp.MustCompile(`(?m)^((?:cmd|internal|pkg|test|deploy)/[\w/.-]+\.[a-z]+)$`), func(name string) bool {
			_, err := os.Stat(name)
			return err == nil || strings.Contains(name, "/nimbus/") // the vendor that the guide adds
		}, 10},
	} {
		found := map[string]bool{}
		for _, d := range documents(t) {
			if d.name == "CHANGELOG.md" { // history may name what is gone
				continue
			}
			for _, m := range c.named.FindAllStringSubmatch(d.code, -1) {
				found[m[1]] = true
				if !c.exists(m[1]) {
					t.Errorf("%s names the %s %q, which %s does not have", d.name, c.what, m[1], c.kind)
				}
			}
		}
		if len(found) < c.atLeast {
			t.Errorf("found %d of kind %s, want at least %d: does the pattern still match?", len(found), c.what, c.atLeast)
		}
	}
}

// TestDocumentsQuoteLogLinesAsTheyAre: a log line is quoted as `"its words"`, or
// as JSON with a message. An operator searches for these words.
func TestDocumentsQuoteLogLinesAsTheyAre(t *testing.T) {
	t.Parallel()
	code := goText(t, "cmd", "internal")
	words, message := regexp.MustCompile(`(?m)^"([^"]+)"$`), regexp.MustCompile(`"message":"([^"]+)"`)
	quoted := 0
	for _, d := range documents(t) {
		if d.name != "docs/debugging.md" && path.Dir(d.name) != "docs/operations" {
			continue
		}
		for _, m := range append(words.FindAllStringSubmatch(d.code, -1), message.FindAllStringSubmatch(d.code, -1)...) {
			line, _, _ := strings.Cut(m[1], ": the ") // a code's meaning follows
			if strings.HasPrefix(line, "Dequeue error") {
				continue // asynq's own words
			}
			quoted++
			if !strings.Contains(code, line) {
				t.Errorf("%s quotes the log line %q, which no source has", d.name, line)
			}
		}
	}
	if quoted < 20 {
		t.Errorf("found %d quoted log lines, want at least 20: does the pattern still match?", quoted)
	}
}

// goText is the text of all Go files in and below some folders, without tests.
func goText(t *testing.T, folders ...string) string {
	t.Helper()
	var b strings.Builder
	for _, s := range sources(t) {
		if !s.test() && slices.ContainsFunc(folders, func(f string) bool { return within(s.folder, f) }) {
			b.WriteString(read(t, s.path()))
		}
	}
	return b.String()
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
