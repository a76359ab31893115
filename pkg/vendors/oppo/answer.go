package oppo

import (
	"encoding/json"
	"errors"
	"regexp"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// Codes that this file depends on. codes.tsv says what follows from them.
const (
	codeSuccess  = "0"
	codeNotExist = "31" // for a broadcast: the message_id is not known
)

var (
	codeForm = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,9})$`)
	// OPPO's codes about a receiver: 10000 to 20000.
	receiverForm = regexp.MustCompile(`^1[0-9]{4}$`)
)

var errNoCode = errors.New("a successful HTTP status without a code in the body")

// unknownOutcome is the code of a token that an answer should name and does not: the
// vendor may have accepted it.
var unknownOutcome = classify.Code{Level: classify.Transport, Code: classify.Malformed}

// envelope is the answer of every OPPO endpoint. Data has four forms.
type envelope struct {
	Code    json.RawMessage `json:"code"`
	Message json.RawMessage `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// parse reads a body. A body that cannot be read gives an empty envelope. A known
// client unpacks answers that are JSON inside a JSON string:
// https://github.com/uuuuz/oppo-push
func parse(body []byte) envelope {
	var inner string
	if len(body) > 0 && body[0] == '"' && json.Unmarshal(body, &inner) == nil {
		body = []byte(inner)
	}
	var e envelope
	if json.Unmarshal(body, &e) != nil {
		return envelope{}
	}
	return e
}

// readAnswer looks at the body's code first, and at the HTTP status only if there is
// no code: OPPO's failures come with status 200.
func readAnswer(reply httpx.Reply, tokens []string, hide ...string) (vendors.Answer, error) {
	e := parse(reply.Body)
	code := codeOf(e.Code)
	switch {
	case code != "":
	case reply.Status/100 == 2:
		return vendors.Answer{}, vendors.MalformedError(opSend, errNoCode)
	default:
		return vendors.Answer{Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}, nil
	}
	answer := vendors.Answer{Code: classify.Code{Level: classify.Response, Code: code}, Status: reply.Status, RetryAfter: reply.RetryAfter}
	if code != codeSuccess {
		answer.Code.Text = vendorText(body.Decode(e.Message), tokens, hide...)
	}
	c := newCollector(tokens, hide)
	switch first(e.Data) {
	case '[':
		c.items(e.Data)
	case '{':
		answer.RequestID = c.buckets(e.Data)
	}
	answer.Tokens = c.codes(code)
	return answer, nil
}

// codeOf reads an integer code, with or without quotes. "": there is no such code.
func codeOf(raw json.RawMessage) string { return body.Code(raw, codeForm) }

// name reads a vendor's name for something, which is sent back and logged. "": it is
// not a string of printable characters.
func name(raw json.RawMessage) string {
	const longest = 512
	s := body.Decode(raw)
	if first(raw) != '"' || len(s) > longest || !body.Printable(s) {
		return ""
	}
	return s
}

func first(raw json.RawMessage) byte {
	if len(raw) == 0 {
		return 0
	}
	return raw[0]
}

// vendorText returns the vendor's text for people, redacted. null becomes "".
func vendorText(msg string, tokens []string, hide ...string) string {
	if msg == "null" {
		return ""
	}
	return httpx.RedactAnswer(msg, tokens, hide...)
}
