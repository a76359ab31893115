package harmony

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"strings"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// Codes that this file depends on. codes.tsv says what follows from them.
const (
	codeSuccess    = "80000000"
	codePartial    = "80100000"
	codeAllInvalid = "80300007"
)

// unreadable stands for a reason that is no word, and for two reasons at once.
// It is in no table, so it deletes nothing.
const unreadable = "unreadable"

var (
	codeForm   = regexp.MustCompile(`^[0-9]{1,10}$`)
	reasonForm = regexp.MustCompile(`^[A-Za-z]{1,64}$`)
)

var errNoCode = errors.New("a successful HTTP status without a code in the body")

// envelope is the answer of every Push Kit API. Its parts are raw: v1's code
// and msg were seen as strings, numbers and objects.
type envelope struct {
	Code      json.RawMessage `json:"code"`
	Msg       json.RawMessage `json:"msg"`
	RequestID json.RawMessage `json:"requestId"`
}

// readAnswer looks at the body first, and at the HTTP status only when the body
// has no code: failures come with status 200, and the body of a 4xx has the reason.
func readAnswer(reply httpx.Reply, tokens []string, access string) (vendors.Answer, error) {
	var e envelope
	if err := json.Unmarshal(reply.Body, &e); err != nil {
		e = envelope{}
	}
	code := body.Decode(e.Code)
	switch {
	case codeForm.MatchString(code):
	case reply.Status/100 == 2:
		return vendors.Answer{}, vendors.MalformedError(opSend, errNoCode)
	default:
		return vendors.Answer{Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}, nil
	}
	answer := vendors.Answer{
		Code:       classify.Code{Level: classify.Response, Code: code},
		RequestID:  body.ID(e.RequestID),
		Status:     reply.Status,
		RetryAfter: reply.RetryAfter,
	}
	if code != codeSuccess {
		msg := body.Decode(e.Msg)
		answer.Code.Text = vendorText(msg, tokens, access)
		answer.Tokens = tokenCodes(code, msg, tokens)
	}
	return answer, nil
}

// words are the vendor's, for people. A list of tokens is not words. The
// private key is not looked for: the vendor never gets it.
func vendorText(msg string, tokens []string, secrets ...string) string {
	if strings.HasPrefix(strings.TrimSpace(msg), "{") {
		return ""
	}
	return httpx.RedactAnswer(msg, tokens, secrets...)
}

// tokenCodes finds the tokens of which the answer says something of their own.
// What cannot be read, or was never sent, names no token: deleting needs proof.
func tokenCodes(code, msg string, tokens []string) []vendors.TokenCode {
	if code != codePartial && code != codeAllInvalid {
		return nil
	}
	named := namedTokens(msg)
	if code == codeAllInvalid {
		// A bare list adds nothing to the code; a reason may say that a token is good.
		maps.DeleteFunc(named, func(_, reason string) bool { return reason == codePartial })
	}
	return vendors.NamedTokens(tokens, named)
}

// namedTokens reads the msg of a failure, JSON in a string: token to reason.
// API v3 has an object from reason to list; API v1's bare list is read too.
func namedTokens(msg string) map[string]string {
	var detail struct {
		V3 json.RawMessage `json:"illegalTokens"`
		V1 json.RawMessage `json:"illegal_tokens"`
	}
	if json.Unmarshal([]byte(msg), &detail) != nil {
		return nil
	}
	named := map[string]string{}
	var lists map[string]json.RawMessage
	if bytes.HasPrefix(detail.V3, []byte("{")) && json.Unmarshal(detail.V3, &lists) == nil {
		for key, list := range lists {
			name(named, reasonOf(key), list)
		}
		return named
	}
	for _, list := range []json.RawMessage{detail.V3, detail.V1} {
		name(named, codePartial, list)
	}
	return named
}

// reasonOf trims a key: the document's own example has blanks around it.
func reasonOf(key string) string {
	if reason := strings.TrimSpace(key); reasonForm.MatchString(reason) {
		return reason
	}
	return unreadable
}

// name adds the tokens of a list, if it is one of strings.
func name(named map[string]string, reason string, raw json.RawMessage) {
	var list []string
	if json.Unmarshal(raw, &list) != nil {
		return
	}
	for _, t := range list {
		t = strings.TrimSpace(t)
		if old, twice := named[t]; twice && old != reason {
			named[t] = unreadable
			continue
		}
		named[t] = reason
	}
}
