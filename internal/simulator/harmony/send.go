package harmony

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/postrider/postrider/internal/simulator/play"
)

const (
	maxTokens     = 1000
	maxTestTokens = 10
	maxBytes      = 4096 // of the body without its tokens
)

// reasons are the reasons for which a token is refused. A token that begins
// with one of them and a dash, like "noRight-1", is refused for it; other invalid
// tokens are refused for the first one.
var reasons = []string{
	"tokenFormatError", "tokenPlatformNotSupport", "noRight", "countryNotSupport", "noPushTypeRight",
	"noRightToSendThisLiveNotificationEvent", "atomicUnableSendUnsubscribedMsg", "disableSendHuaweiMsgBecauseOfPenalty",
	"differentImgVerifyPolicy", "notSupportPlayVoice", "appinfoError",
}

// sendBody is what is kept of a request between open and handle.
type sendBody struct {
	play.TokenList
	messageID string // appMessageId
}

// openSend finds the app in the path and the tokens by scanning.
func (h *player) openSend(c *play.Call) {
	if cred, ok := c.AppByProject(c.Request.PathValue("project")); ok {
		c.App = cred.App
	}
	c.Parsed = &sendBody{TokenList: c.ScanTokens("target", "token")}
}

func (h *player) send(c *play.Call) play.Answer {
	cred, ok := c.AppByProject(c.Request.PathValue("project"))
	switch {
	case !ok:
		c.Violate("the path names a project that does not exist")
		return play.Answer{Status: http.StatusNotFound}
	case !c.HasMethod(http.MethodPost):
		return play.Answer{Status: http.StatusMethodNotAllowed}
	}
	if code := h.authorize(c, cred); code != "" {
		return h.envelope(c, code)
	}
	if c.OverRate(len(c.Tokens)) {
		return play.Overloaded()
	}
	code, text := h.check(c, cred)
	if code != "" {
		return h.say(c, code, text)
	}
	return h.push(c)
}

// check checks a request: header, types, numbers of tokens and bytes, rights,
// values.
func (h *player) check(c *play.Call, cred play.Credential) (code, text string) {
	say := func(code string) (string, string) { return code, codes[code].text }
	kind := c.Request.Header.Get("Push-Type")
	form, ok := bodyChecks[kind]
	if !ok {
		c.Violatef("push-type is %q, not 0, 1, 2, 6, 7 or 10", kind)
		return "80100003", "Illegal payload, The header does not contain valid push-type"
	}
	root := h.shape(c)
	if root == nil {
		return say("80100003")
	}
	p := &play.Findings{TypeCode: "80100003"}
	form(p, "", root)
	if len(p.Types) > 0 {
		return say(c.RecordFindings(p.Types))
	}
	test, _ := play.Inside(root, "pushOptions")["testMessage"].(bool)
	c.Receipt.Tag, _ = play.Inside(root, "pushOptions")["biTag"].(string)
	b := c.Parsed.(*sendBody)
	b.messageID, _ = play.Inside(root, "payload", "notification")["appMessageId"].(string)
	if code := h.targets(c, kind, test); code != "" {
		return say(code)
	}
	if n := b.Size(c); n > maxBytes {
		c.Violatef("the body without its tokens has %d bytes, more than %d", n, maxBytes)
		return say("80300008")
	}
	if slices.Contains(cred.Lacks, play.RightPush) {
		return say("80300002")
	}
	checkMeaning(p, kind, root)
	if code := c.RecordFindings(p.Values); code != "" {
		return say(code)
	}
	switch {
	case h.UnverifiedImages && play.Filled(play.Inside(root, "payload", "notification"), "image"):
		return say("80100022")
	case test && h.testsUsedUp(c):
		return say("80300029")
	}
	return "", ""
}

// shape decodes the body without its tokens. It is nil when that is impossible.
func (h *player) shape(c *play.Call) map[string]any {
	l := c.Parsed.(*sendBody)
	if !c.HasContentType("application/json") {
		c.Violate("the content type is not application/json")
		return nil
	}
	root, err := play.DecodeWithout(c.Body, l.Span)
	switch {
	case l.Broken || err != nil:
		c.Violate("the body is not a JSON object")
		return nil
	case l.NotStrings:
		c.Violate("target.token is not an array of strings")
		return nil
	}
	return root
}

func (h *player) targets(c *play.Call, kind string, test bool) (code string) {
	most, n := maxTokens, len(c.Tokens)
	if kind == pushFormUpdate {
		most = 1
	}
	switch {
	case n == 0, n > most:
		c.Violatef("target.token: %d tokens, not 1 to %d", n, most)
		return "80300010"
	case test && n > maxTestTokens:
		// Not a violation: this answer is how a client learns about the limit.
		return "80300030"
	}
	if i := c.EmptyToken(); i >= 0 {
		c.Violatef("target.token[%d]: is empty", i)
		return "80100001"
	}
	return ""
}

// push accepts the valid tokens and lists the others by reason.
func (h *player) push(c *play.Call) play.Answer {
	lists, invalid := h.findInvalid(c)
	if n := c.Duplicates(); n > 0 {
		c.Violatef("target.token: %d tokens are there twice", n)
	}
	if mark := h.mark(c, c.Parsed.(*sendBody).messageID); mark != "" {
		for i := range c.Tokens {
			if !c.Rejected(i) && !h.delivered.First(c.Hash(i), mark) {
				c.Swallow(i)
			}
		}
	}
	c.AcceptExcept(invalid)
	c.SendReceipts(c.Receipt)
	switch {
	case invalid == 0:
		return h.success(c)
	case invalid < len(c.Tokens):
		return h.say(c, "80100000", partialText(lists, len(c.Tokens)-invalid, invalid))
	case h.PlainInvalid:
		return h.envelope(c, "80300007")
	}
	return h.say(c, "80300007", allInvalidText(lists, invalid))
}

// findInvalid rejects the invalid tokens and lists them by reason.
func (h *player) findInvalid(c *play.Call) (lists map[string][]string, invalid int) {
	c.HashTokens()
	lists = map[string][]string{}
	for i, t := range c.Tokens {
		reason := reasonOf(t)
		if reason == "" && c.Invalid(i) {
			reason = reasons[0]
		}
		if reason == "" {
			continue
		}
		if !h.PlainReasons {
			reason = " " + reason + " "
		}
		c.Reject(i)
		lists[reason] = append(lists[reason], string(t))
		invalid++
	}
	return lists, invalid
}

// reasonOf is the reason with which a token begins, or "".
func reasonOf(token []byte) string {
	for _, reason := range reasons {
		if len(token) > len(reason) && token[len(reason)] == '-' && strings.HasPrefix(string(token), reason) {
			return reason
		}
	}
	return ""
}

// partialText and allInvalidText are the msg of a failure as in the document's
// examples: "success" is missing when there is none.
func partialText(lists map[string][]string, success, failure int) string {
	text, _ := json.Marshal(struct { // strings and numbers always marshal
		Illegal map[string][]string `json:"illegalTokens"`
		Success int                 `json:"success"`
		Failure int                 `json:"failure"`
	}{lists, success, failure})
	return string(text)
}

func allInvalidText(lists map[string][]string, failure int) string {
	text, _ := json.Marshal(struct { // strings and numbers always marshal
		Failure int                 `json:"failure"`
		Illegal map[string][]string `json:"illegalTokens"`
	}{failure, lists})
	return string(text)
}
