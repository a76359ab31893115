package tim

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// Codes that this file depends on. codes.tsv says what follows from them.
const (
	codeSuccess = "0"
	// codeFail is not Tencent's. It is the code of a failure without a number.
	codeFail = "FAIL"
	// unreadable is not Tencent's. It is the code of an account that is named without
	// a number.
	unreadable = "unreadable"
)

// tokenOnly has the codes that are about one account. As the code of a whole request
// they do not say which account, or whether they mean the sender.
var tokenOnly = []string{"20003", "70107", "90048"}

var codeForm = regexp.MustCompile(`^-?[0-9]{1,10}$`)

var (
	errNoCode    = errors.New("a successful HTTP status without consistent ActionStatus and ErrorCode")
	errNoAccount = errors.New("an ActionStatus SomeError that names no account of the request")
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

// readAnswer accepts a failure with any HTTP status. A success needs HTTP 2xx,
// ErrorCode 0, and ActionStatus OK, or SomeError with the accounts that failed.
func readAnswer(reply httpx.Reply, tokens []string, secrets ...string) (vendors.Answer, error) {
	var e envelope
	if err := json.Unmarshal(reply.Body, &e); err != nil {
		e = envelope{}
	}
	code, fine := requestCode(e), reply.Status/100 == 2
	switch {
	case code == "" && fine:
		return vendors.Answer{}, vendors.MalformedError(opSend, errNoCode)
	case code == "", code == codeSuccess && !fine:
		return vendors.Answer{Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}, nil
	}
	answer := vendors.Answer{
		Code:       classify.Code{Level: classify.Response, Code: code},
		Tokens:     tokenCodes(e.ErrorList, tokens),
		RequestID:  requestID(e),
		Status:     reply.Status,
		RetryAfter: reply.RetryAfter,
	}
	if code == codeSuccess {
		if e.ActionStatus != "OK" && len(answer.Tokens) == 0 {
			return vendors.Answer{}, vendors.MalformedError(opSend, errNoAccount)
		}
		return answer, nil
	}
	answer.Code.Text = httpx.RedactAnswer(body.Decode(e.ErrorInfo), tokens, secrets...)
	if len(tokens) == 1 && len(answer.Tokens) == 0 && slices.Contains(tokenOnly, code) {
		answer.Tokens = []vendors.TokenCode{{Code: classify.Code{Level: classify.Token, Code: code}}}
	}
	return answer, nil
}

// requestCode returns the answer's code. "": it has no usable code. FAIL with the code
// 0 or without a code is a failure without a number.
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

// codeOf reads an integer code, with or without quotes. "": there is no such code.
func codeOf(raw json.RawMessage) string { return body.Code(raw, codeForm) }

// requestID returns the vendor's name for the request in any form: a task id has
// three forms.
func requestID(e envelope) string {
	if body.Decode(e.TaskID) == "" {
		return body.ID(e.MsgKey)
	}
	return body.ID(e.TaskID)
}
