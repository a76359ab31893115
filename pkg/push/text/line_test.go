package text_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/push/text"
)

type word string

func TestLineLeavesNothingThatATerminalObeys(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"":                         "",
		"发货 Shipped 😀 \ufffd":      "发货 Shipped 😀 \ufffd",
		"\x1b[31mred\x1b[0m":       `\x1b[31mred\x1b[0m`,
		"nul\x00 bell\a del\x7f":   `nul\x00 bell\x07 del\x7f`,
		"a\nb\tc\rd":               `a\nb\tc\x0dd`,
		"\u009b31m":                `\x9b31m`, // CSI as one character
		"not UTF-8 \xc9\xcc":       `not UTF-8 \xc9\xcc`,
		"\u202egnp.exe \u2066x":    `\u202egnp.exe \u2066x`,
		"\ufeffmark \u2028 \u2029": `\ufeffmark \u2028 \u2029`,
	} {
		if got := text.Line(s); got != want {
			t.Errorf("%q is printed as %q, want %q", s, got, want)
		}
	}
}

func TestFprintfPrintsItsArgumentsAsLines(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if _, err := text.Fprintf(&b, "%s %s\t%d %v %s\n", "a\x1b", word("b\n"), 5, errors.New("c\n\x00"), time.Second); err != nil {
		t.Fatal(err)
	}
	if got, want := b.String(), "a\\x1b b\\n\t5 c\n\\x00 1s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
