package vendors

import (
	"strings"

	"github.com/postrider/postrider/pkg/classify"
)

// Words are what a vendor said, for logs and dead letters: Text without the
// secrets and those of the request's tokens that stand in it. More than a page
// of words is none.
func Words(said string, tokens []string, secrets ...string) string {
	const page = 8 << 10
	if len(said) > page {
		return ""
	}
	return Text(said, append(Contained(said, tokens), secrets...)...)
}

// Contained are the tokens that stand in a text.
func Contained(said string, tokens []string) []string {
	var list []string
	for _, t := range tokens {
		if strings.Contains(said, t) {
			list = append(list, t)
		}
	}
	return list
}

// NamedTokens are the codes of the request's tokens that an answer names, in
// order. What was never sent names no token: deleting needs proof.
func NamedTokens(tokens []string, named map[string]string) []TokenCode {
	if len(named) == 0 {
		return nil
	}
	var list []TokenCode
	for i, t := range tokens {
		if code, ok := named[t]; ok {
			list = append(list, TokenCode{Index: i, Code: classify.Code{Level: classify.Token, Code: code}})
		}
	}
	return list
}
