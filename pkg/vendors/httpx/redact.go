package httpx

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Words are what a vendor said, for logs and dead letters: Text without the
// secrets and those of the request's tokens that stand in it. More than a page
// of words is none.
func RedactAnswer(said string, tokens []string, secrets ...string) string {
	const page = 8 << 10
	if len(said) > page {
		return ""
	}
	return Redact(said, append(TokensIn(said, tokens), secrets...)...)
}

// Contained are the tokens that stand in a text.
func TokensIn(said string, tokens []string) []string {
	var list []string
	for _, t := range tokens {
		if strings.Contains(said, t) {
			list = append(list, t)
		}
	}
	return list
}

// Text shortens a vendor's words for logs and dead letters, and takes out any
// of the given tokens or secrets.
func Redact(s string, hide ...string) string {
	// Longest first: hiding a part of another would leave the other's rest.
	for _, h := range slices.SortedFunc(slices.Values(hide), func(a, b string) int { return cmp.Compare(len(b), len(a)) }) {
		if len(h) > 3 {
			s = strings.ReplaceAll(s, h, "…")
		}
	}
	const longest = 200
	if len(s) > longest {
		cut := longest
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
