package meizu

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// tokenCodes returns the codes of the tokens that value names. value maps each code to
// push ids and has only failures. Entries that cannot be read or were not in the
// request are ignored.
func tokenCodes(value json.RawMessage, tokens []string) []vendors.TokenCode {
	if !bytes.HasPrefix(value, []byte("{")) {
		return nil
	}
	var lists map[string]json.RawMessage
	if json.Unmarshal(value, &lists) != nil || len(lists) == 0 {
		return nil
	}
	return vendors.NamedTokens(tokens, namedTokens(lists))
}

// namedTokens inverts the lists. A token that is named twice gets the code that does
// not delete it.
func namedTokens(lists map[string]json.RawMessage) map[string]string {
	named := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		code := strings.TrimSpace(key)
		if !codeForm.MatchString(code) {
			code = "unreadable" // in no table, so it deletes nothing
		}
		for _, t := range pushIDs(lists[key]) {
			if old, twice := named[t]; !twice || deletes(old) {
				named[t] = code
			}
		}
	}
	return named
}

func deletes(code string) bool {
	row, _ := codes().Lookup(classify.Token, code)
	return row.Class == classify.TokenInvalid
}

// pushIDs reads an array of push ids, or a string of them separated by commas. It
// ignores other values, which the answers of the vendor's aggregator have.
func pushIDs(raw json.RawMessage) []string {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return nil
	}
	var ids []string
	switch v := value.(type) {
	case string:
		ids = strings.Split(v, ",")
	case []any:
		for _, one := range v {
			if id, ok := one.(string); ok {
				ids = append(ids, id)
			}
		}
	}
	for i := range ids {
		ids[i] = strings.TrimSpace(ids[i])
	}
	return ids
}
