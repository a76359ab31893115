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

// The codes that this file branches on; codes.tsv says what they lead to.
const (
	codeSuccess  = "0"
	codeNotExist = "31" // of a broadcast: the message_id is not known
)

var (
	codeForm = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,9})$`)
	// OPPO's codes about a receiver: 10000 to 20000.
	receiverForm = regexp.MustCompile(`^1[0-9]{4}$`)
)

var errNoCode = errors.New("a successful HTTP status without a code in the body")

// unclear is the code of a token that an answer should speak of and does not:
// the vendor may have accepted it.
var unclear = classify.Code{Level: classify.Transport, Code: classify.Malformed}

// envelope is the answer of every OPPO endpoint, with data in four shapes.
type envelope struct {
	Code    json.RawMessage `json:"code"`
	Message json.RawMessage `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// parse reads a body; what cannot be read leaves the envelope empty. A client
// was seen to unpack answers that were JSON inside a JSON string:
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

// readAnswer looks at the body's code first and at the HTTP status only where
// there is none: OPPO's failures come with status 200.
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
		answer.Code.Text = words(body.Decode(e.Message), tokens, hide...)
	}
	s := newSheet(tokens, hide)
	switch first(e.Data) {
	case '[':
		s.items(e.Data)
	case '{':
		answer.RequestID = s.buckets(e.Data)
	}
	answer.Tokens = s.codes(code)
	return answer, nil
}

// codeOf reads a code that is a whole number, bare or in a string; else it is "".
func codeOf(raw json.RawMessage) string { return body.Code(raw, codeForm) }

// name is a vendor's name for something, to be sent back and shown: a string
// of printable characters, else "".
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

// words are the vendor's, for people; null is none.
func words(msg string, tokens []string, hide ...string) string {
	if msg == "null" {
		return ""
	}
	return httpx.RedactAnswer(msg, tokens, hide...)
}
