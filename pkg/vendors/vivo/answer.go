package vivo

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// The codes that this file branches on; codes.tsv says what they lead to.
const (
	codeSuccess   = "0"
	codeBadTask   = "10152" // taskId is not legal
	codeNoMessage = "10155" // the message does not exist or has expired
	codeBadRegID  = "10302"
)

var codeForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})$`)

var errNoCode = errors.New("a successful HTTP status without a result in the body")

// unclear is the code of a token that an answer leaves open: the vendor may
// have accepted it.
var unclear = classify.Code{Level: classify.Transport, Code: classify.Malformed}

// envelope is the answer of every endpoint. A list push names the tokens that
// vivo refused in invalidUsers, a send to one in invalidUser:
// https://dev.vivo.com.cn/documentCenter/doc/362
type envelope struct {
	Result       json.RawMessage `json:"result"`
	Desc         json.RawMessage `json:"desc"`
	TaskID       json.RawMessage `json:"taskId"`
	AuthToken    json.RawMessage `json:"authToken"`
	InvalidUser  json.RawMessage `json:"invalidUser"`
	InvalidUsers json.RawMessage `json:"invalidUsers"`
}

type invalidUser struct {
	Status json.RawMessage `json:"status"`
	UserID json.RawMessage `json:"userid"`
}

// parse reads a body; what cannot be read leaves the envelope empty.
func parse(body []byte) envelope {
	var e envelope
	if json.Unmarshal(body, &e) != nil {
		return envelope{}
	}
	return e
}

// readAnswer looks at the body's result first and at the HTTP status only where
// there is none: vivo's failures come with status 200, and a 500 is plain text.
func readAnswer(reply httpx.Reply, tokens []string, hide ...string) (vendors.Answer, error) {
	e := parse(reply.Body)
	code := codeOf(e.Result)
	switch {
	case code != "":
	case reply.Status/100 == 2:
		return vendors.Answer{}, vendors.MalformedError(opSend, errNoCode)
	default:
		return vendors.Answer{Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}, nil
	}
	answer := vendors.Answer{
		Code:       classify.Code{Level: classify.Response, Code: code},
		Tokens:     tokenCodes(code, invalidUsers(e), tokens),
		RequestID:  name(e.TaskID),
		Status:     reply.Status,
		RetryAfter: reply.RetryAfter,
	}
	if code != codeSuccess {
		answer.Code.Text = httpx.RedactAnswer(text(e.Desc), tokens, hide...)
	}
	return answer, nil
}

// invalidUsers reads either form; what is no list must not hide the other.
func invalidUsers(e envelope) []invalidUser {
	var list []invalidUser
	if json.Unmarshal(e.InvalidUsers, &list) != nil {
		list = nil
	}
	var one invalidUser
	if len(e.InvalidUser) > 0 && json.Unmarshal(e.InvalidUser, &one) == nil && len(one.Status)+len(one.UserID) > 0 {
		list = append(list, one)
	}
	return list
}

// tokenCodes finds the tokens of which the answer says something of their own.
// When a list is refused for its regIds and some are named, nothing is proved
// against the others.
func tokenCodes(code string, users []invalidUser, tokens []string) []vendors.TokenCode {
	named := map[string]string{}
	for _, u := range users {
		addNamed(named, u, tokens)
	}
	list := vendors.NamedTokens(tokens, named)
	if code != codeBadRegID || len(list) == 0 {
		return list
	}
	for i, t := range tokens {
		if _, ok := named[t]; !ok {
			list = append(list, vendors.TokenCode{Index: i, Code: unclear})
		}
	}
	slices.SortFunc(list, func(a, b vendors.TokenCode) int { return a.Index - b.Index })
	return list
}

// addNamed notes a user's status. Of two for one token the higher counts: 1,
// the one that has the token deleted, is the lowest.
func addNamed(named map[string]string, u invalidUser, tokens []string) {
	id, status := text(u.UserID), codeOf(u.Status)
	if id == "" && len(tokens) == 1 {
		id = tokens[0]
	}
	if status == "" {
		status = "unreadable" // in no table, so it deletes nothing
	}
	if old := named[id]; len(status) > len(old) || len(status) == len(old) && status > old {
		named[id] = status
	}
}

// codeOf reads a code that is a number, bare or in a string; else it is "".
func codeOf(raw json.RawMessage) string { return body.Code(raw, codeForm) }

// text is a value as text; null is "".
func text(raw json.RawMessage) string {
	if string(raw) == "null" {
		return ""
	}
	return body.Decode(raw)
}

// name is vivo's name for something, to be sent back and shown: printable
// characters, else "".
func name(raw json.RawMessage) string {
	const longest = 512
	s := text(raw)
	if len(s) > longest || !body.Printable(s) || strings.ContainsAny(s, `{}[]`) {
		return ""
	}
	return s
}
