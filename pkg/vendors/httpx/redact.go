package httpx

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// RedactAnswer returns what a vendor said, for logs and dead letters, without the
// secrets and the request's tokens. A text of more than 8 KiB is not a message for
// people, and becomes "".
func RedactAnswer(said string, tokens []string, secrets ...string) string {
	const page = 8 << 10
	if len(said) > page {
		return ""
	}
	return Redact(said, append(TokensIn(said, tokens), secrets...)...)
}

// TokensIn returns the tokens that a text contains.
func TokensIn(said string, tokens []string) []string {
	var list []string
	for _, t := range tokens {
		if strings.Contains(said, t) {
			list = append(list, t)
		}
	}
	return list
}

// Redact shortens a text for logs and dead letters to 200 bytes, and replaces the
// given tokens and secrets. It keeps those of at most three characters, which may
// be parts of words.
func Redact(s string, hide ...string) string {
	// Longest first: if a short one is a part of a long one, hiding it first would
	// leave the rest of the long one.
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
