package play

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// OutcomeGroup is the tokens with the same tag and the same outcome, which some
// vendors report together.
type OutcomeGroup struct {
	Tag    string
	Lost   bool
	Tokens []string
}

// Targets lists the tokens with commas.
func (g OutcomeGroup) Targets() string { return strings.Join(g.Tokens, ",") }

// GroupOutcomes makes groups, in the order of their first tokens.
func GroupOutcomes(outcomes []Outcome) []OutcomeGroup {
	var groups []OutcomeGroup
	for _, o := range outcomes {
		i := slices.IndexFunc(groups, func(g OutcomeGroup) bool { return g.Tag == o.Tag && g.Lost == o.Lost })
		if i < 0 {
			i = len(groups)
			groups = append(groups, OutcomeGroup{Tag: o.Tag, Lost: o.Lost})
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
	return ReceiptCall{ContentType: "application/json", Body: body}
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
	return ReceiptCall{ContentType: "application/x-www-form-urlencoded; charset=UTF-8", Body: []byte(form.Encode())}
}
