package postrider_test

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// phrase is a row of testdata/language.tsv.
type phrase struct {
	pattern *regexp.Regexp
	instead string
	except  []string
}

// phrases reads the table.
func phrases(t *testing.T) []phrase {
	t.Helper()
	text, err := os.ReadFile("testdata/language.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var all []phrase
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(line, "\t")
		if len(cells) != 3 || cells[1] == "" {
			t.Fatalf("testdata/language.tsv: %q: want three cells: pattern, what to write instead, exceptions", line)
		}
		p := phrase{pattern: regexp.MustCompile("(?i)" + cells[0]), instead: cells[1]}
		for e := range strings.SplitSeq(cells[2], ",") {
			if e = strings.TrimSpace(e); e != "" {
				p.except = append(p.except, e)
			}
		}
		all = append(all, p)
	}
	return all
}

// words splits identifiers, so that a rule for a word also finds it in deadLetter
// and dead_letter.
var words = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// projectTexts calls do with every line of the project's own texts.
func projectTexts(t *testing.T, do func(file string, n int, line string)) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p != "." && (strings.HasPrefix(d.Name(), ".git") || d.Name() == "testdata" || d.Name() == "bin") || p == filepath.Join("docs", "codes") {
				return filepath.SkipDir
			}
			return nil
		}
		ours := slices.Contains([]string{".go", ".lua", ".md", ".yaml", ".yml", ".sh", ".html"}, filepath.Ext(p)) ||
			slices.Contains([]string{"Makefile", "Dockerfile"}, d.Name()) || strings.HasPrefix(p, ".ci")
		if !ours {
			return nil
		}
		files++
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			do(filepath.ToSlash(p), n, lines.Text())
		}
		return lines.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 500 {
		t.Fatalf("read %d files, want the whole project", files)
	}
}

// TestTextsAreInPlainWords holds every text against testdata/language.tsv. The
// meaning of each of our own words is in docs/concepts.md.
func TestTextsAreInPlainWords(t *testing.T) {
	t.Parallel()
	all := phrases(t)
	projectTexts(t, func(file string, n int, line string) {
		plain := words.ReplaceAllString(strings.ReplaceAll(line, "_", " "), "$1 $2")
		for _, p := range all {
			found := p.pattern.FindString(plain)
			if found == "" || slices.ContainsFunc(p.except, func(e string) bool {
				word, is := strings.CutPrefix(e, "=")
				return is && strings.Contains(strings.ToLower(plain), strings.ToLower(strings.TrimSpace(word))) || !is && strings.HasPrefix(file, e)
			}) {
				continue
			}
			t.Errorf("%s:%d: %q: write %s", file, n, strings.TrimSpace(found), p.instead)
		}
	})
}
