package vendors

import (
	"github.com/postrider/postrider/pkg/classify"
)

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
