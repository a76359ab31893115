package tim

import (
	"encoding/json"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// tokenCodes returns the codes of the accounts that ErrorList names. It ignores entries
// that cannot be read, were not in the request, or have the code 0.
func tokenCodes(errorList json.RawMessage, tokens []string) []vendors.TokenCode {
	if len(errorList) == 0 {
		return nil
	}
	var entries []json.RawMessage
	if json.Unmarshal(errorList, &entries) != nil || len(entries) == 0 {
		return nil
	}
	return vendors.NamedTokens(tokens, namedTokens(entries))
}

// namedTokens maps accounts to codes. An account that is named twice gets the code
// that does not delete it.
func namedTokens(entries []json.RawMessage) map[string]string {
	named := map[string]string{}
	for _, raw := range entries {
		var e struct {
			Account   string          `json:"To_Account"`
			ErrorCode json.RawMessage `json:"ErrorCode"`
		}
		if json.Unmarshal(raw, &e) != nil {
			continue
		}
		code := codeOf(e.ErrorCode)
		if code == "" {
			code = unreadable
		}
		if old, twice := named[e.Account]; code != codeSuccess && (!twice || deletes(old)) {
			named[e.Account] = code
		}
	}
	return named
}

func deletes(code string) bool {
	row, _ := codes().Lookup(classify.Token, code)
	return row.Class == classify.TokenInvalid
}
