package meizu

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

// codeSuccess is the code of a success, the one that this file depends on. codes.tsv
// says what follows from all codes.
const codeSuccess = "200"

// tokenOnly has the codes that are about one push id. Since 2025 the vendor's document
// also has them as codes of the whole answer, where they do not say which of several
// push ids they mean.
var tokenOnly = []string{"110002", "110003"}

var codeForm = regexp.MustCompile(`^[0-9]{1,10}$`)

var errNoCode = errors.New("a successful HTTP status without a code in the body")

// envelope is the answer of every API. Its fields are raw: code is a string and was
// a number, value is an object, "" or true.
type envelope struct {
	Code    json.RawMessage `json:"code"`
	Message json.RawMessage `json:"message"`
	Value   json.RawMessage `json:"value"`
	MsgID   json.RawMessage `json:"msgId"`
}

// readAnswer uses the body's code with any HTTP status; only success also needs a 2xx
// status. The same number has different meanings as the answer's code and inside
// value, so they have different levels.
func readAnswer(reply httpx.Reply, tokens []string, hide ...string) (vendors.Answer, error) {
	var e envelope
	if err := json.Unmarshal(reply.Body, &e); err != nil {
		e = envelope{}
	}
	code := codeOf(e.Code)
	switch fine := reply.Status/100 == 2; {
	case code == "" && fine:
		return vendors.Answer{}, vendors.MalformedError(opSend, errNoCode)
	case code == "", code == codeSuccess && !fine:
		return vendors.Answer{Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}, nil
	}
	answer := vendors.Answer{
		Code:       classify.Code{Level: classify.Response, Code: code},
		RequestID:  body.ID(e.MsgID),
		Status:     reply.Status,
		RetryAfter: reply.RetryAfter,
	}
	if code == codeSuccess {
		answer.Tokens = tokenCodes(e.Value, tokens)
		return answer, nil
	}
	answer.Code.Text = httpx.RedactAnswer(body.Decode(e.Message), tokens, hide...)
	if len(tokens) == 1 && slices.Contains(tokenOnly, code) {
		answer.Tokens = []vendors.TokenCode{{Code: classify.Code{Level: classify.Token, Code: code}}}
	}
	return answer, nil
}

// codeOf reads a code of digits, a number or a string. "": there is no such code.
func codeOf(raw json.RawMessage) string { return body.Code(raw, codeForm) }
