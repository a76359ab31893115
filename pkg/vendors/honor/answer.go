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
// A token's code is the name of the list that it stands in.
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

// envelope is the answer to a send. Its parts are raw: one of an unexpected
// type must not hide its neighbours.
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

// readAnswer looks at the body first and at the HTTP status when the body has
// no code. The code 200 counts under a 2xx alone: it is also an HTTP status,
// which something on the way may have copied into its own answer.
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

// contradiction is the error for a success that says of itself that nothing was
// sent. Where it names tokens, these are what was not.
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

// tokenCodes finds the tokens that stand in a list of their own, which happens
// under success too. Under any other code the code itself says what became of all.
func tokenCodes(code string, d detail, tokens []string) []vendors.TokenCode {
	if code != codeSuccess && code != codePartial {
		return nil
	}
	named := map[string]string{}
	name(named, codeExpired, d.ExpireTokens)
	// A token in both lists failed: that reading deletes nothing.
	name(named, codeFailed, d.FailTokens)
	return vendors.NamedTokens(tokens, named)
}

// name adds the tokens of a list, if it is one of strings.
func name(named map[string]string, code string, raw json.RawMessage) {
	var list []string
	if len(raw) == 0 || json.Unmarshal(raw, &list) != nil {
		return
	}
	for _, t := range list {
		named[strings.TrimSpace(t)] = code
	}
}
