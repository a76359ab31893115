package honor

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// Codes that this file depends on. codes.tsv says what follows from them.
// A token's code is the name of the list that names the token.
const (
	codeSuccess = "200"
	codePartial = "80100000"
	codeFailed  = "failTokens"
	codeExpired = "expireTokens"
)

var codeForm = regexp.MustCompile(`^[0-9]{1,10}$`)

var (
	errNoCode  = errors.New("a successful HTTP status without a code in the body")
	errNotSent = errors.New("the code 200, sendResult false, and no token named")
)

// envelope is the answer to a send. Its fields are raw, so that a field of an
// unexpected type does not hide the others.
type envelope struct {
	Code    json.RawMessage `json:"code"`
	Message json.RawMessage `json:"message"`
	Data    json.RawMessage `json:"data"`
}

type detail struct {
	SendResult   json.RawMessage `json:"sendResult"`
	RequestID    json.RawMessage `json:"requestId"`
	FailTokens   json.RawMessage `json:"failTokens"`
	ExpireTokens json.RawMessage `json:"expireTokens"`
}

// readAnswer looks at the body first, and at the HTTP status if the body has no code.
// The code 200 counts only with a 2xx status: it is also an HTTP status, which a
// proxy may have copied into its own answer.
func readAnswer(reply httpx.Reply, tokens []string, access, secret string) (vendors.Answer, error) {
	var e envelope
	if err := json.Unmarshal(reply.Body, &e); err != nil {
		e = envelope{}
	}
	code, good := body.Decode(e.Code), reply.Status/100 == 2
	known := codeForm.MatchString(code)
	switch {
	case !known && good:
		return vendors.Answer{}, vendors.MalformedError(opSend, errNoCode)
	case !known, code == codeSuccess && !good:
		return vendors.Answer{Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}, nil
	}
	d := detailOf(e.Data)
	answer := vendors.Answer{
		Code:       classify.Code{Level: classify.Response, Code: code},
		RequestID:  body.ID(d.RequestID),
		Status:     reply.Status,
		RetryAfter: reply.RetryAfter,
		Tokens:     tokenCodes(code, d, tokens),
	}
	if code == codeSuccess {
		return answer, contradiction(d, answer)
	}
	answer.Code.Text = httpx.RedactAnswer(body.Decode(e.Message), tokens, access, secret)
	return answer, nil
}

// contradiction returns an error for a success whose sendResult is false. If the
// answer names tokens, only these were not sent, and there is no error.
func contradiction(d detail, a vendors.Answer) error {
	if string(d.SendResult) == "false" && len(a.Tokens) == 0 {
		return vendors.MalformedError(opSend, errNotSent)
	}
	return nil
}

func detailOf(raw json.RawMessage) detail {
	var d detail
	if json.Unmarshal(raw, &d) != nil {
		return detail{}
	}
	return d
}

// tokenCodes returns the codes of the tokens that a list names; a success may have
// lists too. Any code other than success and partial failure is about all tokens.
func tokenCodes(code string, d detail, tokens []string) []vendors.TokenCode {
	if code != codeSuccess && code != codePartial {
		return nil
	}
	named := map[string]string{}
	name(named, codeExpired, d.ExpireTokens)
	// A token in both lists counts as failed, which deletes nothing.
	name(named, codeFailed, d.FailTokens)
	return vendors.NamedTokens(tokens, named)
}

// name adds the tokens of a list. It ignores a value that is not a list of strings.
func name(named map[string]string, code string, raw json.RawMessage) {
	var list []string
	if len(raw) == 0 || json.Unmarshal(raw, &list) != nil {
		return
	}
	for _, t := range list {
		named[strings.TrimSpace(t)] = code
	}
}
