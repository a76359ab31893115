package play

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// outcomeGroup is the tokens with the same tag and the same outcome, which some
// vendors report together.
type outcomeGroup struct {
	Tag    string
	Lost   bool
	Tokens []string
}

// Targets lists the tokens with commas.
func (g outcomeGroup) Targets() string { return strings.Join(g.Tokens, ",") }

// GroupOutcomes makes groups, in the order of their first tokens.
func GroupOutcomes(outcomes []Outcome) []outcomeGroup {
	var groups []outcomeGroup
	for _, o := range outcomes {
		i := slices.IndexFunc(groups, func(g outcomeGroup) bool { return g.Tag == o.Tag && g.Lost == o.Lost })
		if i < 0 {
			i = len(groups)
			groups = append(groups, outcomeGroup{Tag: o.Tag, Lost: o.Lost})
		}
		groups[i].Tokens = append(groups[i].Tokens, o.Token)
	}
	return groups
}

// EitherValue is one of a vendor's two values for the outcomes.
func EitherValue[T any](lost bool, ifReached, ifLost T) T {
	if lost {
		return ifLost
	}
	return ifReached
}

// JSONReceipts is a call whose body is JSON.
func JSONReceipts(v any) ReceiptCall {
	body, _ := json.Marshal(v) // strings, numbers, lists and objects always marshal
	return ReceiptCall{contentType: "application/json", body: body}
}

// StatusReceipts is a call whose body is {"statuses": [...]} with one object for
// each token.
func StatusReceipts(outcomes []Outcome, status func(Outcome) map[string]any) ReceiptCall {
	all := make([]map[string]any, len(outcomes))
	for i, o := range outcomes {
		all[i] = status(o)
	}
	return JSONReceipts(map[string]any{"statuses": all})
}

// FormReceipts is a call whose body is a form with JSON in one field, and more
// fields.
func FormReceipts(field string, v any, more url.Values) ReceiptCall {
	text, _ := json.Marshal(v) // strings, numbers, lists and objects always marshal
	form := url.Values{field: {string(text)}}
	maps.Copy(form, more)
	return ReceiptCall{contentType: "application/x-www-form-urlencoded; charset=UTF-8", body: []byte(form.Encode())}
}
