package config

import (
	_ "embed" // for the example below
	"strings"

	"github.com/postrider/postrider/pkg/vendors"
)

// exampleTemplate is the example without the vendors' blocks.
//
//go:embed example.template.yaml
var exampleTemplate string

// Example returns a complete configuration with comments. What is commented out
// as "#key" without a space is optional and valid as it is.
//
// Each vendor's block is Spec.Example. The first one is followed by the keys that
// every vendor has. postrider.example.yaml is the result for all vendors.
func Example(specs []vendors.Spec) string {
	var first, others, urls []string
	for i, s := range specs {
		if block := indented(s.Example, "    "); i == 0 {
			first = append(first, block)
		} else {
			others = append(others, block)
		}
		if s.Receipts != nil && s.Receipts.LongestURL > 0 {
			urls = append(urls, s.Name)
		}
	}
	return strings.NewReplacer(
		"%FIRST NAME%", specs[0].Name,
		"%FIRST VENDOR%\n", strings.Join(first, ""),
		"%OTHER VENDORS%\n", strings.Join(others, ""),
		"%URL VENDORS%", strings.Join(urls, ", "),
	).Replace(exampleTemplate)
}

// indented returns the lines of a block behind a margin.
func indented(block, margin string) string {
	var b strings.Builder
	for line := range strings.Lines(block) {
		if line = strings.TrimRight(line, "\n"); line != "" {
			b.WriteString(margin + line + "\n")
		}
	}
	return b.String()
}
