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

// unreadable replaces a reason that is malformed, and two reasons for one token. It
// is in no table, so it deletes nothing.
const unreadable = "unreadable"

var (
	codeForm   = regexp.MustCompile(`^[0-9]{1,10}$`)
	reasonForm = regexp.MustCompile(`^[A-Za-z]{1,64}$`)
)

var errNoCode = errors.New("a successful HTTP status without a code in the body")

// envelope is the answer of every Push Kit API. Its fields are raw: in v1, code and
// msg were seen as strings, numbers and objects.
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

// vendorText returns the vendor's text for people, redacted. A list of tokens becomes
// "". The text cannot have the private key, which the vendor never gets.
func vendorText(msg string, tokens []string, secrets ...string) string {
	if strings.HasPrefix(strings.TrimSpace(msg), "{") {
		return ""
	}
	return httpx.RedactAnswer(msg, tokens, secrets...)
}

// tokenCodes returns the codes of the tokens that the answer names. It ignores entries
// that cannot be read or were not in the request: deleting a token needs proof.
func tokenCodes(code, msg string, tokens []string) []vendors.TokenCode {
	if code != codePartial && code != codeAllInvalid {
		return nil
	}
	named := namedTokens(msg)
	if code == codeAllInvalid {
		// A list without reasons adds nothing to the code. A reason may keep a token.
		maps.DeleteFunc(named, func(_, reason string) bool { return reason == codePartial })
	}
	return vendors.NamedTokens(tokens, named)
}

// namedTokens reads the msg of a failure, which is JSON in a string, and returns the
// reason of each token. API v3 has an object from reason to list of tokens; the list
// without reasons of API v1 is also read.
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

// reasonOf returns the reason without surrounding spaces, which the document's own
// example has.
func reasonOf(key string) string {
	if reason := strings.TrimSpace(key); reasonForm.MatchString(reason) {
		return reason
	}
	return unreadable
}

// name adds the tokens of a list. It ignores a value that is not a list of strings.
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
