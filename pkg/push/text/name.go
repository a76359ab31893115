package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// longestWord is the longest part of a name between dots, dashes and
	// underscores, and longestName the longest name, in characters.
	longestWord = 16
	longestName = 64
	// mostDigits is how many digits a name may have; ids of devices and users have
	// more.
	mostDigits = 4
)

// Name formats an unexpected word of the input for an error: an unknown field,
// vendor or app. The word may be a push token in the wrong place, so it is shown in
// full only if it looks like a name.
func Name(s string) string {
	if isName(s) {
		return s
	}
	return fmt.Sprintf("%s (%d characters)", Masked(s), utf8.RuneCountInString(s))
}

func isName(s string) bool {
	digits, word := 0, 0
	for _, r := range s {
		switch {
		case unicode.IsDigit(r):
			digits++
			word++
		case unicode.IsLetter(r):
			word++
		case r == '.' || r == '-' || r == '_' || r == ' ':
			word = 0
		default:
			return false
		}
		if digits > mostDigits || word > longestWord {
			return false
		}
	}
	return utf8.RuneCountInString(s) <= longestName
}

// Masked shows at most the first four characters of a token and its last two, never
// more than half of it: enough to find it again.
func Masked(s string) string {
	r := []rune(s)
	head, tail := min(4, len(r)/3), min(2, len(r)/6)
	return Line(string(r[:head])) + "…" + Line(string(r[len(r)-tail:]))
}

// Nearest returns the known word that is closest to this one; "": none is close
// enough. Dashes and underscores count as the same letter.
func Nearest(word string, known []string) string {
	best, least := "", max(1, len(word)/3)+1
	for _, k := range known {
		if n := distance(strings.ToLower(word), k); n < least {
			best, least = k, n
		}
	}
	return best
}

// distance is the edit distance: letters to insert, remove or replace.
func distance(a, b string) int {
	a = strings.ReplaceAll(a, "-", "_")
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
