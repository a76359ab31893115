package huawei

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
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
	codeSuccess    = "80000000"
	codePartial    = "80100000"
	codeAllInvalid = "80300007"
)

var (
	codeForm   = regexp.MustCompile(`^[0-9]{1,10}$`)
	reasonForm = regexp.MustCompile(`^[A-Za-z]{1,64}$`)
)

var errNoCode = errors.New("a successful HTTP status without a code in the body")

// envelope is the answer of every Push Kit API. Its fields are raw, since code and
// msg were seen as strings, numbers and objects.
type envelope struct {
	Code      json.RawMessage `json:"code"`
	Msg       json.RawMessage `json:"msg"`
	RequestID json.RawMessage `json:"requestId"`
}

// readAnswer looks at the body first, and at the HTTP status only when the body
// has no code: failures come with status 200, and the body of a 4xx has the reason.
func readAnswer(reply httpx.Reply, tokens []string, secrets ...string) (vendors.Answer, error) {
	var e envelope
	if err := json.Unmarshal(reply.Body, &e); err != nil {
		e = envelope{}
	}
	code := codeOf(e.Code)
	switch {
	case code != "":
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
		answer.Code.Text = vendorText(msg, tokens, secrets...)
		answer.Tokens = tokenCodes(code, msg, tokens)
	}
	return answer, nil
}

// codeOf reads a code of digits, a number or a string. "": there is no such code.
func codeOf(raw json.RawMessage) string { return body.Code(raw, codeForm) }

// vendorText returns the vendor's text for people, redacted. A list of tokens becomes
// "".
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

// namedTokens reads the msg of a partial failure, which is JSON in a string, and
// returns the code of each token. API v1 has a list of tokens; the object from reason
// to list of API v3 is also read.
func namedTokens(msg string) map[string]string {
	var detail struct {
		V1 json.RawMessage `json:"illegal_tokens"`
		V3 json.RawMessage `json:"illegalTokens"`
	}
	if json.Unmarshal([]byte(msg), &detail) != nil {
		return nil
	}
	raw := detail.V1
	if len(raw) == 0 {
		raw = detail.V3
	}
	named := map[string]string{}
	if bytes.HasPrefix(raw, []byte("{")) {
		byReason(named, raw)
		return named
	}
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		addNamed(named, codePartial, list)
	}
	return named
}

// byReason adds the tokens of API v3's form. Its keys were seen with spaces around
// them.
func byReason(named map[string]string, raw json.RawMessage) {
	var lists map[string][]string
	if json.Unmarshal(raw, &lists) != nil {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		reason := strings.TrimSpace(key)
		if !reasonForm.MatchString(reason) {
			reason = "unreadable" // in no table, so it deletes nothing
		}
		addNamed(named, reason, lists[key])
	}
}

// addNamed keeps the first code of a token that is named twice.
func addNamed(named map[string]string, code string, list []string) {
	for _, t := range list {
		t = strings.TrimSpace(t)
		if _, twice := named[t]; !twice {
			named[t] = code
		}
	}
}
