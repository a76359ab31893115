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

// collector collects what an answer says about each token. A token may appear
// several times in tokens, each time with another message.
type collector struct {
	tokens    []string
	hide      []string // secrets, removed from texts
	failed    []vendors.TokenCode
	seen      []bool // by index of the token; nil: the answer named no token yet
	named     int    // how many tokens are seen
	listed    bool   // the answer has one item per message
	unmatched bool   // an item failed whose token is not in the request

	cursor   int              // the index that the next item should have
	indices  map[string][]int // of each token; made for the first item out of order
	lastText [2]string        // the last text, before and after redaction
}

func newCollector(tokens, hide []string) *collector { return &collector{tokens: tokens, hide: hide} }

// items reads the data of unicast_batch: one item per message, in all observed
// answers in the order of the messages. A failed item may also have a messageId,
// so errorCode decides:
// https://open.oppomobile.com/new/developmentDoc/info?id=11238
func (c *collector) items(data []byte) {
	c.listed = true
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
		i := c.indexOf(id)
		if i < 0 {
			c.unmatched = c.unmatched || itemCode(code) != codeSuccess
			return
		}
		c.record(i, itemCode(code), message)
	})
}

// itemCode returns the code of an item. "0": it succeeded. "": its errorCode is not
// a code.
func itemCode(raw json.RawMessage) string {
	switch string(raw) {
	case "", "null", `""`:
		return codeSuccess
	}
	return codeOf(raw)
}

// buckets reads the data of a broadcast. Its keys of digits are codes, each with a
// list of registration ids. It returns the vendor's name for the request. A value
// that is not a list does not hide the others. If a token is in several lists, the
// highest code wins: 10000, which deletes a token, is the lowest.
func (c *collector) buckets(data []byte) (requestID string) {
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
			if i := c.find(id); i >= 0 {
				c.record(i, code, nil)
			}
		}
	}
	return cmp.Or(ids["task_id"], ids["messageId"], ids["message_id"])
}

// idList reads an array, or a string with separators as in an old client.
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

// indexOf returns the index of the token that an item is about, or -1. Items in the
// order of the messages need no search.
func (c *collector) indexOf(id json.RawMessage) int {
	if c.cursor < len(c.tokens) && isString(id, c.tokens[c.cursor]) {
		c.cursor++
		if !c.isSeen(c.cursor - 1) {
			return c.cursor - 1
		}
	}
	i := c.find(body.Decode(id))
	if i >= 0 {
		c.cursor = i + 1
	}
	return i
}

// find returns the next index of a token that the answer did not name yet, or -1.
func (c *collector) find(token string) int {
	if c.indices == nil {
		c.indices = make(map[string][]int, len(c.tokens))
		for i, t := range c.tokens {
			c.indices[t] = append(c.indices[t], i)
		}
	}
	for _, i := range c.indices[token] {
		if !c.isSeen(i) {
			return i
		}
	}
	return -1
}

func (c *collector) isSeen(i int) bool { return c.seen != nil && c.seen[i] }

func (c *collector) record(i int, code string, message json.RawMessage) {
	if c.seen == nil {
		c.seen = make([]bool, len(c.tokens))
	}
	c.seen[i] = true
	c.named++
	switch code {
	case codeSuccess:
	case "":
		c.failed = append(c.failed, vendors.TokenCode{Index: i, Code: unknownOutcome})
	default:
		own := classify.Code{Level: classify.Token, Code: code, Text: c.redacted(body.Decode(message))}
		c.failed = append(c.failed, vendors.TokenCode{Index: i, Code: own})
	}
}

// redacted redacts a text once for consecutive items with the same text.
func (c *collector) redacted(said string) string {
	if said != c.lastText[0] {
		c.lastText = [2]string{said, vendorText(said, c.tokens, c.hide...)}
	}
	return c.lastText[1]
}

// codes returns the tokens' own codes; request is the code of the request. A token
// succeeded if its item says so, or if the request succeeded and the answer has no
// items.
func (c *collector) codes(request string) []vendors.TokenCode {
	list := c.failed
	if c.incomplete(request) {
		failed := make([]bool, len(c.tokens))
		for _, tc := range list {
			failed[tc.Index] = true
		}
		for i := range c.tokens {
			if !failed[i] && (request != codeSuccess || !c.isSeen(i)) {
				list = append(list, vendors.TokenCode{Index: i, Code: unknownOutcome})
			}
		}
	}
	slices.SortFunc(list, func(a, b vendors.TokenCode) int { return a.Index - b.Index })
	return list
}

// incomplete reports whether the outcome of the tokens that the answer does not name
// is unknown. So it is if the answer lists some tokens and leaves others out, and if
// the request failed because of its receivers but the answer names only some.
func (c *collector) incomplete(request string) bool {
	switch {
	case request == codeSuccess:
		return c.unmatched || c.listed && c.named > 0 && c.named < len(c.tokens)
	case receiverForm.MatchString(request):
		return c.named > 0
	}
	return false
}
