package xiaomi

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
const (
	codeSuccess   = "0"
	codeFailed    = "20301"
	codeNoDevice  = "10029"
	codeBadFormat = "66007"
	codeBad       = "bad_regids"

	// Suffixes that this package adds to a code with two meanings.
	readOther = "/other" // 20301 without proof that every token is invalid
	readOne   = "/one"   // a code about a token, in a request with one token
)

// reasonInvalid is the only reason of 20301 that means invalid tokens. Every sample of
// that code has it, but no document says that there are no other reasons.
const reasonInvalid = "No valid targets!"

// codeForm limits the codes that may be stored in a ledger. Xiaomi's codes are
// numbers, but a code that comes as a string would be stored unchanged.
var codeForm = regexp.MustCompile(`^-?[0-9]{1,10}(/[a-z]{1,16})?$`)

var (
	errNoCode        = errors.New("a successful HTTP status without a code in the body")
	errContradiction = errors.New("code 0 with a result other than ok")
)

// envelope is the answer of every API:
// https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1560
// Its fields are raw, so that a field of an unexpected type does not hide the others.
type envelope struct {
	Result      json.RawMessage `json:"result"`
	Code        json.RawMessage `json:"code"`
	Reason      json.RawMessage `json:"reason"`
	Description json.RawMessage `json:"description"`
	TraceID     json.RawMessage `json:"trace_id"`
	Data        json.RawMessage `json:"data"`
}

// details is the data of a success. Failures have no data.
type details struct {
	ID json.RawMessage `json:"id"`
	// BadRegIDs are rejected tokens, separated by commas.
	BadRegIDs json.RawMessage `json:"bad_regids"`
	// OverQuota is the number of discarded messages per channel: "no_channel:2 a:3".
	OverQuota json.RawMessage `json:"channel_exceed_quota"`
}

// delivery has the tokens of a request, and how many belong to each message.
type delivery struct {
	tokens   []string
	messages []channelTokens
}

// readAnswer looks at the body first, and at the HTTP status only when the body
// has no code: failures come with status 200. A code that accepts or deletes tokens
// counts only with a 2xx status.
func readAnswer(reply httpx.Reply, sent delivery, hide ...string) (vendors.Answer, error) {
	var e envelope
	if err := json.Unmarshal(reply.Body, &e); err != nil {
		e = envelope{}
	}
	code, ok := codeOf(e.Code), reply.Status/100 == 2
	switch {
	case code == "" && ok:
		return vendors.Answer{}, vendors.MalformedError(opSend, errNoCode)
	case code == "", code == codeSuccess && !ok:
		return vendors.Answer{Code: vendors.HTTPCode(reply.Status), Status: reply.Status, RetryAfter: reply.RetryAfter}, nil
	case code == codeSuccess && body.Decode(e.Result) == "error":
		return vendors.Answer{}, vendors.MalformedError(opSend, errContradiction)
	}
	answer := vendors.Answer{RequestID: body.ID(e.TraceID), Status: reply.Status, RetryAfter: reply.RetryAfter}
	if code != codeSuccess {
		answer.Code = classify.Code{Level: classify.Response, Code: reading(code, e, ok, len(sent.tokens)), Text: e.vendorText(sent.tokens, hide)}
		return answer, nil
	}
	answer.Code = classify.Code{Level: classify.Response, Code: code}
	var d details
	if json.Unmarshal(e.Data, &d) != nil {
		return answer, nil
	}
	if id := body.ID(d.ID); id != "" {
		answer.RequestID = id
	}
	answer.Tokens = d.tokenCodes(sent, hide)
	return answer, nil
}

// reading returns the code, with a suffix if the code has two meanings.
func reading(code string, e envelope, ok bool, tokens int) string {
	switch code {
	case codeFailed:
		if !ok || body.Decode(e.Result) == "ok" || strings.TrimSpace(body.Decode(e.Reason)) != reasonInvalid {
			return code + readOther
		}
	case codeNoDevice, codeBadFormat:
		if ok && tokens == 1 {
			return code + readOne
		}
	}
	return code
}

// tokenCodes returns the codes of the tokens that a success does not include.
func (d details) tokenCodes(sent delivery, hide []string) []vendors.TokenCode {
	bad := badTokens(body.Decode(d.BadRegIDs))
	said := body.Decode(d.OverQuota)
	over := overQuota(said)
	if len(bad) == 0 && over == nil {
		return nil
	}
	var list []vendors.TokenCode
	for i, t := range sent.tokens {
		if bad[t] {
			list = append(list, vendors.TokenCode{Index: i, Code: classify.Code{Level: classify.Token, Code: codeBad}})
		}
	}
	if over == nil {
		return list
	}
	return over.add(list, sent, httpx.Redact(said, append(httpx.TokensIn(said, sent.tokens), hide...)...))
}

func badTokens(list string) map[string]bool {
	if list == "" || list == "null" {
		return nil
	}
	bad := make(map[string]bool, 1+strings.Count(list, ","))
	for t := range strings.SplitSeq(list, ",") {
		if t = strings.TrimSpace(t); t != "" {
			bad[t] = true
		}
	}
	return bad
}

// codeOf reads a code, with or without quotes. "": there is no such code.
func codeOf(raw json.RawMessage) string { return body.Code(raw, codeForm) }

// vendorText returns the vendor's text for people, redacted: the reason, or else the
// description, which is only the general text of the code.
func (e envelope) vendorText(tokens, hide []string) string {
	said := body.Decode(e.Reason)
	if said == "" || said == "null" {
		said = body.Decode(e.Description)
	}
	if said == "null" {
		return ""
	}
	return httpx.RedactAnswer(said, tokens, hide...)
}
