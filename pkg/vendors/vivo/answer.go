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

// Codes that this file depends on. codes.tsv says what follows from them.
const (
	codeSuccess   = "0"
	codeBadTask   = "10152" // taskId is not legal
	codeNoMessage = "10155" // the message does not exist or has expired
	codeBadRegID  = "10302"
)

var codeForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})$`)

var errNoCode = errors.New("a successful HTTP status without a result in the body")

// unknownOutcome is the code of a token whose outcome an answer does not say: the
// vendor may have accepted it.
var unknownOutcome = classify.Code{Level: classify.Transport, Code: classify.Malformed}

// envelope is the answer of every endpoint. The answer to a list push names refused
// tokens in invalidUsers, the answer to a send to one token in invalidUser:
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

// parse reads a body. A body that cannot be read gives an empty envelope.
func parse(body []byte) envelope {
	var e envelope
	if json.Unmarshal(body, &e) != nil {
		return envelope{}
	}
	return e
}

// readAnswer looks at the body's result first, and at the HTTP status only if there is
// no result: vivo's failures come with status 200, and a 500 is plain text.
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

// invalidUsers reads both fields. A malformed one does not hide the other.
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

// tokenCodes returns the codes of tokens that the answer names. If a list is refused
// because of its regIds and only some are named, the outcome of the others is
// unknown.
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
			list = append(list, vendors.TokenCode{Index: i, Code: unknownOutcome})
		}
	}
	slices.SortFunc(list, func(a, b vendors.TokenCode) int { return a.Index - b.Index })
	return list
}

// addNamed records a user's status. If one token has two, the higher wins: 1, which
// deletes the token, is the lowest.
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

// codeOf reads a numeric code, with or without quotes. "": there is no such code.
func codeOf(raw json.RawMessage) string { return body.Code(raw, codeForm) }

// text returns a value as text. null becomes "".
func text(raw json.RawMessage) string {
	if string(raw) == "null" {
		return ""
	}
	return body.Decode(raw)
}

// name reads vivo's name for something, which is sent back and logged. "": it is not
// printable.
func name(raw json.RawMessage) string {
	const longest = 512
	s := text(raw)
	if len(s) > longest || !body.Printable(s) || strings.ContainsAny(s, `{}[]`) {
		return ""
	}
	return s
}
