package postrider_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

var update = flag.Bool("update", false, "write the generated documents")

// TestDocumentsFollowFromTheData compares docs/codes, docs/mapping.md and the
// example configuration with the vendors' tables. make docs writes them.
func TestDocumentsFollowFromTheData(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"docs/mapping.md": mapping(), "docs/codes/README.md": codesIndex(),
		"internal/config/postrider.example.yaml": config.Example(registry.All()),
	}
	for _, s := range registry.All() {
		want["docs/codes/"+s.Name+".md"] = codes(s)
	}
	for name, text := range want {
		if *update {
			if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(name)
		if err != nil || string(got) != text {
			t.Errorf("%s is not what the data says: run make docs", name)
		}
	}
	have, err := filepath.Glob("docs/codes/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range have {
		if _, ok := want[filepath.ToSlash(name)]; !ok {
			t.Errorf("%s belongs to no vendor", name)
		}
	}
}

const generated = "<!-- Generated from the vendors' tables by make docs. -->\n\n"

func codesIndex() string {
	var b strings.Builder
	b.WriteString(generated + "# Result codes\n\n| vendor | | codes |\n|---|---|---|\n")
	for _, s := range registry.All() {
		fmt.Fprintf(&b, "| [%s](%s.md) | %s | %d |\n", s.Name, s.Name, s.Title, len(s.Codes.Explain("")))
	}
	b.WriteString("\n`enqueue explain VENDOR [CODE]` prints the same. A code that is in no table is tried once more, and then the\ntoken ends dead. It never deletes a token and never counts as success.\n\n[concepts.md](../concepts.md#what-an-answer-means) explains the columns.\n")
	return b.String()
}

func codes(s vendors.Spec) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s# %s: result codes\n\n| level | code | class | remedy | scope | tries | action | bucket | window | meaning |\n|---|---|---|---|---|---|---|---|---|---|\n", generated, s.Title)
	sources := map[string]bool{}
	for _, r := range s.Codes.Explain("") {
		tries := ""
		if r.Tries > 0 {
			tries = fmt.Sprint(r.Tries)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n",
			r.Level, cell(r.Code), r.Class, r.Remedy, r.Scope, tries, r.Action, r.Bucket, r.Window, cell(r.Meaning))
		if !sources[r.Source] {
			sources[r.Source] = true
		}
	}
	b.WriteString(buckets(s) + "\nSources:\n\n")
	for _, r := range s.Codes.Explain("") {
		if sources[r.Source] {
			fmt.Fprintf(&b, "- %s\n", r.Source)
			sources[r.Source] = false
		}
	}
	return b.String()
}

// buckets explains what a vendor's quotas count.
func buckets(s vendors.Spec) string {
	if len(s.Quotas) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n## Quotas\n\nAn answer with a bucket pauses what belongs to the bucket, for every worker, until the window begins in Beijing: day\n" +
		"is the next midnight, week is the next Monday's midnight. Everything else continues.\n\n| bucket | counts |\n|---|---|\n")
	for _, q := range s.Quotas {
		fmt.Fprintf(&b, "| %s | %s |\n", q.Bucket, cell(q.Meaning))
	}
	return b.String()
}

func mapping() string {
	var b strings.Builder
	b.WriteString(generated + "# What each vendor receives for a message's fields\n\nA dash means that the vendor has no such field. `message.overrides` reaches fields that are not listed.\n\n")
	for _, s := range registry.All() {
		fmt.Fprintf(&b, "## %s (%s)\n\n| field | at the vendor |\n|---|---|\n", s.Title, s.Name)
		for _, m := range s.Mapping {
			fmt.Fprintf(&b, "| %s | %s |\n", cell(m.Field), cell(m.To))
		}
		b.WriteString("\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
