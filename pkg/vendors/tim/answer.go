package tim

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// The codes that this file branches on; what they lead to stands in codes.tsv.
const (
	codeSuccess = "0"
	// codeFail is ours, for a failure that came without a number.
	codeFail = "FAIL"
	// unreadable is ours as well, for an account that is named without a number.
	unreadable = "unreadable"
)

// ofToken are codes that speak of one account. For a whole request they do not
// say which, nor whether the sender's is meant.
var ofToken = []string{"20003", "70107", "90048"}

var codeForm = regexp.MustCompile(`^-?[0-9]{1,10}$`)

var (
	errNoCode = errors.New("a successful HTTP status without ActionStatus and ErrorCode that fit each other")
	errNobody = errors.New("an ActionStatus SomeError that names no account of the request")
)

// envelope is the answer of every API. Codes are raw: a missing one must not
// read as 0, which is success.
type envelope struct {
	ActionStatus string          `json:"ActionStatus"`
	ErrorCode    json.RawMessage `json:"ErrorCode"`
	ErrorInfo    json.RawMessage `json:"ErrorInfo"`
	ErrorList    json.RawMessage `json:"ErrorList"`
	TaskID       json.RawMessage `json:"TaskId"` // of the push service
	MsgKey       json.RawMessage `json:"MsgKey"` // of chat messages
}

// readAnswer believes a failure whatever the HTTP status, and success only
// where everything says so: HTTP 2xx, ErrorCode 0 and ActionStatus OK, or
// SomeError with the accounts that failed.
func readAnswer(reply vendors.Reply, tokens []string, secrets ...string) (vendors.Answer, error) {
	var e envelope
	if err := json.Unmarshal(reply.Body, &e); err != nil {
		e = envelope{}
	}
	code, fine := requestCode(e), reply.Status/100 == 2
	switch {
	case code == "" && fine:
		return vendors.Answer{}, vendors.MalformedError(opSend, errNoCode)
	case code == "", code == codeSuccess && !fine:
		return vendors.Answer{Code: vendors.HTTPCode(reply.Status), RetryAfter: reply.RetryAfter}, nil
	}
	answer := vendors.Answer{
		Code:       classify.Code{Level: classify.Response, Code: code},
		Tokens:     tokenCodes(e.ErrorList, tokens),
		RequestID:  requestID(e),
		RetryAfter: reply.RetryAfter,
	}
	if code == codeSuccess {
		if e.ActionStatus != "OK" && len(answer.Tokens) == 0 {
			return vendors.Answer{}, vendors.MalformedError(opSend, errNobody)
		}
		return answer, nil
	}
	answer.Code.Text = words(text(e.ErrorInfo), tokens, secrets)
	if len(tokens) == 1 && len(answer.Tokens) == 0 && slices.Contains(ofToken, code) {
		answer.Tokens = []vendors.TokenCode{{Code: classify.Code{Level: classify.Token, Code: code}}}
	}
	return answer, nil
}

// requestCode is the answer's code, "" when it has none that can be believed.
// A 0 beside FAIL, and a FAIL beside nothing, are failures without a number.
func requestCode(e envelope) string {
	code := codeOf(e.ErrorCode)
	switch {
	case code != "" && code != codeSuccess:
		return code
	case e.ActionStatus == "FAIL":
		return codeFail
	case code == codeSuccess && (e.ActionStatus == "OK" || e.ActionStatus == "SomeError"):
		return codeSuccess
	}
	return ""
}

// codeOf reads a code that is a whole number, bare or in a string; else it is "".
func codeOf(raw json.RawMessage) string {
	if code := text(raw); codeForm.MatchString(code) {
		return code
	}
	return ""
}

// text is a JSON string's value, or any other value as it stands.
func text(raw json.RawMessage) string {
	if len(raw) == 0 || raw[0] != '"' {
		return string(raw)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// requestID is the vendor's name for the request, in whatever form: a task id
// has three.
func requestID(e envelope) string {
	id := text(e.TaskID)
	if id == "" {
		id = text(e.MsgKey)
	}
	printable := func(r rune) bool { return r > ' ' && r < 0x7f }
	if len(id) > 128 || id == "null" || strings.ContainsFunc(id, func(r rune) bool { return !printable(r) }) {
		return ""
	}
	return id
}

// words are the vendor's, for people; a page of them is none.
func words(msg string, tokens, secrets []string) string {
	const page = 8 << 10
	if len(msg) > page {
		return ""
	}
	hide := slices.Clone(secrets)
	for _, t := range tokens {
		if strings.Contains(msg, t) {
			hide = append(hide, t)
		}
	}
	return vendors.Text(msg, hide...)
}
