package oppo

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// sheet takes down what an answer says of each token. A token may stand in it
// several times, with a message each.
type sheet struct {
	tokens []string
	hide   []string
	failed []vendors.TokenCode
	spoken []bool // by index of the token; nil while the answer named none
	named  int    // how many are spoken
	listed bool   // the answer has an item a message
	lost   bool   // an item failed whose token is none of ours

	cursor int              // where the next item is expected
	places map[string][]int // of each token; made when an item is elsewhere
	words  [2]string        // the last words, as said and as shown
}

func newSheet(tokens, hide []string) *sheet { return &sheet{tokens: tokens, hide: hide} }

// items reads the data of unicast_batch: one item a message, in the messages'
// order as far as was seen. An item may have failed and carry a messageId all
// the same, so errorCode decides:
// https://open.oppomobile.com/new/developmentDoc/info?id=11238
func (s *sheet) items(data []byte) {
	s.listed = true
	eachElement(data, func(item []byte) {
		var id, code, message json.RawMessage
		eachMember(item, func(key, value []byte) {
			switch string(key) {
			case `"registrationId"`:
				id = value
			case `"errorCode"`:
				code = value
			case `"errorMessage"`:
				message = value
			}
		})
		i := s.place(id)
		if i < 0 {
			s.lost = s.lost || itemCode(code) != codeSuccess
			return
		}
		s.take(i, itemCode(code), message)
	})
}

// itemCode is "0" for an item that succeeded, and "" for one that says
// something that is no code.
func itemCode(raw json.RawMessage) string {
	switch string(raw) {
	case "", "null", `""`:
		return codeSuccess
	}
	return codeOf(raw)
}

// buckets reads the data of a broadcast, whose all-digit keys are codes with a
// list of registration ids each. It returns the vendor's name for the request.
// What is no list must not hide its neighbours. The highest code counts first:
// of contradictory ones 10000, which has a token deleted, is the last.
func (s *sheet) buckets(data []byte) (requestID string) {
	lists := map[string]json.RawMessage{}
	ids := map[string]string{}
	eachMember(data, func(key, value []byte) {
		switch k := string(bytes.Trim(key, `"`)); {
		case k != codeSuccess && codeForm.MatchString(k):
			lists[k] = value
		case k == "task_id", k == "messageId", k == "message_id":
			ids[k] = name(value)
		}
	})
	for _, code := range slices.SortedFunc(maps.Keys(lists), func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(b, a)) }) {
		for _, id := range idList(lists[code]) {
			if i := s.find(id); i >= 0 {
				s.take(i, code, nil)
			}
		}
	}
	return cmp.Or(ids["task_id"], ids["messageId"], ids["message_id"])
}

// idList reads an array, or what an old client has: a string with separators.
func idList(raw json.RawMessage) []string {
	if first(raw) == '"' {
		return strings.FieldsFunc(body.Decode(raw), func(r rune) bool { return r == ';' || r == ',' || r == ' ' })
	}
	var list []string
	if first(raw) == '[' {
		eachElement(raw, func(v []byte) { list = append(list, body.Decode(v)) })
	}
	return list
}

// place finds the token that an item is about, or -1. Items in the messages'
// order are found without a search.
func (s *sheet) place(id json.RawMessage) int {
	if s.cursor < len(s.tokens) && isString(id, s.tokens[s.cursor]) {
		s.cursor++
		if !s.isSpoken(s.cursor - 1) {
			return s.cursor - 1
		}
	}
	i := s.find(body.Decode(id))
	if i >= 0 {
		s.cursor = i + 1
	}
	return i
}

// find returns the next place of a token that nothing was said of, or -1.
func (s *sheet) find(token string) int {
	if s.places == nil {
		s.places = make(map[string][]int, len(s.tokens))
		for i, t := range s.tokens {
			s.places[t] = append(s.places[t], i)
		}
	}
	for _, i := range s.places[token] {
		if !s.isSpoken(i) {
			return i
		}
	}
	return -1
}

func (s *sheet) isSpoken(i int) bool { return s.spoken != nil && s.spoken[i] }

func (s *sheet) take(i int, code string, message json.RawMessage) {
	if s.spoken == nil {
		s.spoken = make([]bool, len(s.tokens))
	}
	s.spoken[i] = true
	s.named++
	switch code {
	case codeSuccess:
	case "":
		s.failed = append(s.failed, vendors.TokenCode{Index: i, Code: unclear})
	default:
		c := classify.Code{Level: classify.Token, Code: code, Text: s.say(body.Decode(message))}
		s.failed = append(s.failed, vendors.TokenCode{Index: i, Code: c})
	}
}

// say cleans words once for all items that have the same.
func (s *sheet) say(said string) string {
	if said != s.words[0] {
		s.words = [2]string{said, words(said, s.tokens, s.hide...)}
	}
	return s.words[1]
}

// codes are the tokens' own codes, under the request's. Success is what an item
// says, or the whole answer when it lists none.
func (s *sheet) codes(request string) []vendors.TokenCode {
	list := s.failed
	if s.leavesOpen(request) {
		failed := make([]bool, len(s.tokens))
		for _, tc := range list {
			failed[tc.Index] = true
		}
		for i := range s.tokens {
			if !failed[i] && (request != codeSuccess || !s.isSpoken(i)) {
				list = append(list, vendors.TokenCode{Index: i, Code: unclear})
			}
		}
	}
	slices.SortFunc(list, func(a, b vendors.TokenCode) int { return a.Index - b.Index })
	return list
}

// leavesOpen reports whether the answer says nothing of the tokens that it does
// not name. One that lists some and leaves others out does; and a request that
// failed for its receivers, yet names some, gives no proof against the others.
func (s *sheet) leavesOpen(request string) bool {
	switch {
	case request == codeSuccess:
		return s.lost || s.listed && s.named > 0 && s.named < len(s.tokens)
	case receiverForm.MatchString(request):
		return s.named > 0
	}
	return false
}
