package text

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line makes text from outside safe to print in one line of a terminal: control
// characters, line ends, changes of the writing direction and invalid UTF-8 are
// written as escapes.
func Line(s string) string { return escaped(s, obeyed) }

// Lines is Line for text that may have several lines.
func Lines(s string) string {
	return escaped(s, func(r rune) bool { return r != '\n' && obeyed(r) })
}

// Fprintf is fmt.Fprintf with every string argument escaped by Line and every error
// by Lines. The format is trusted.
func Fprintf(w io.Writer, format string, args ...any) (int, error) {
	safe := make([]any, len(args))
	for i, a := range args {
		switch v := reflect.ValueOf(a); {
		case v.Kind() == reflect.String:
			safe[i] = Line(fmt.Sprint(a))
		default:
			if err, is := a.(error); is {
				safe[i] = Lines(err.Error())
			} else {
				safe[i] = a
			}
		}
	}
	return fmt.Fprintf(w, format, safe...)
}

// escaped writes the characters that which selects, and invalid UTF-8, as escapes.
func escaped(s string, which func(rune) bool) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, which) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !which(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// obeyed reports whether a terminal acts on a character instead of showing it.
func obeyed(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == '\ufeff'
}
