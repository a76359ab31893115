package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

const (
	harmonyMostTokens = 1000
	harmonyMostTests  = 10
	harmonyMostBytes  = 4096 // of the body without its tokens
)

// The reasons for which a token is refused. A token that begins with one of
// them and a dash, like "noRight-1", is refused for it; other invalid tokens
// for the first.
var harmonyReasons = []string{
	"tokenFormatError", "tokenPlatformNotSupport", "noRight", "countryNotSupport", "noPushTypeRight",
	"noRightToSendThisLiveNotificationEvent", "atomicUnableSendUnsubscribedMsg", "disableSendHuaweiMsgBecauseOfPenalty",
	"differentImgVerifyPolicy", "notSupportPlayVoice", "appinfoError",
}

// openSend finds the app by the path and the tokens by scanning.
func (h *harmonyPlayer) openSend(c *call) {
	if cred, ok := c.p.apps.project(c.r.PathValue("project")); ok {
		c.app = cred.App
	}
	c.parsed = c.scanList("target", "token")
}

func (h *harmonyPlayer) send(c *call) answer {
	cred, ok := c.p.apps.project(c.r.PathValue("project"))
	switch {
	case !ok:
		c.violate("the path names a project that does not exist")
		return answer{status: http.StatusNotFound}
	case c.r.Method != http.MethodPost:
		c.violate("method is " + c.r.Method + ", not POST")
		return answer{status: http.StatusMethodNotAllowed}
	}
	if code := h.authorize(c, cred); code != "" {
		return h.envelope(c, code)
	}
	if c.limited(len(c.tokens)) {
		return huaweiPlayer{}.overloaded()
	}
	code, text := h.check(c, cred)
	if code != "" {
		return h.say(c, code, text)
	}
	return h.push(c)
}

// check judges a request from its header to its words.
func (h *harmonyPlayer) check(c *call, cred Credential) (code, text string) {
	say := func(code string) (string, string) { return code, harmonyCodes[code].text }
	kind := c.r.Header.Get("Push-Type")
	form, ok := harmonyForms[kind]
	if !ok {
		c.violatef("push-type is %q, not 0, 1, 2, 6, 7 or 10", kind)
		return "80100003", "Illegal payload, The header does not contain valid push-type"
	}
	root := h.shape(c)
	if root == nil {
		return say("80100003")
	}
	p := &probe{shapeCode: "80100003"}
	form(p, "", root)
	if len(p.shape) > 0 {
		return say(c.blame(p.shape))
	}
	test, _ := inside(root, "pushOptions")["testMessage"].(bool)
	c.asked.tag, _ = inside(root, "pushOptions")["biTag"].(string)
	c.dedup, _ = inside(root, "payload", "notification")["appMessageId"].(string)
	if code := h.targets(c, kind, test); code != "" {
		return say(code)
	}
	if n := c.parsed.(listed).size(c); n > harmonyMostBytes {
		c.violatef("the body without its tokens has %d bytes, more than %d", n, harmonyMostBytes)
		return say("80300008")
	}
	if slices.Contains(cred.Lacks, RightPush) {
		return say("80300002")
	}
	harmonyMeaning(p, kind, root)
	if code := c.blame(p.values); code != "" {
		return say(code)
	}
	switch {
	case h.UnverifiedImages && filled(inside(root, "payload", "notification"), "image"):
		return say("80100022")
	case test && h.spent(c):
		return say("80300029")
	}
	return "", ""
}

// shape decodes what is left of the body without its tokens; nil means that it
// cannot be read.
func (h *harmonyPlayer) shape(c *call) map[string]any {
	l := c.parsed.(listed)
	if !c.contentType("application/json") {
		c.violate("the content type is not application/json")
		return nil
	}
	root, err := decodeWithout(c.body, l.span)
	switch {
	case l.broken || err != nil:
		c.violate("the body is not a JSON object")
		return nil
	case l.notTexts:
		c.violate("target.token is not an array of strings")
		return nil
	}
	return root
}

func (h *harmonyPlayer) targets(c *call, kind string, test bool) (code string) {
	most, n := harmonyMostTokens, len(c.tokens)
	if kind == harmonyFormUpdate {
		most = 1
	}
	switch {
	case n == 0, n > most:
		c.violatef("target.token: %d tokens, not 1 to %d", n, most)
		return "80300010"
	case test && n > harmonyMostTests:
		// No violation: a client learns of the limit by this very answer.
		return "80300030"
	}
	if i := c.emptyToken(); i >= 0 {
		c.violatef("target.token[%d]: is empty", i)
		return "80100001"
	}
	return ""
}

// push counts the valid tokens and lists the others by reason.
func (h *harmonyPlayer) push(c *call) answer {
	lists, invalid := h.weigh(c)
	if n := c.batch.twins(); n > 0 {
		c.violatef("target.token: %d tokens stand there twice", n)
	}
	if mark := h.mark(c); mark != "" {
		for i := range c.tokens {
			if !c.batch.dead[i] && !h.delivered.first(c.batch.hashes[i], mark) {
				c.swallow(i)
			}
		}
	}
	c.acceptBut(invalid)
	c.owe(c.asked)
	switch {
	case invalid == 0:
		return h.success(c)
	case invalid < len(c.tokens):
		return h.say(c, "80100000", harmonyPartial(lists, len(c.tokens)-invalid, invalid))
	case h.PlainInvalid:
		return h.envelope(c, "80300007")
	}
	return h.say(c, "80300007", harmonyNone(lists, invalid))
}

// weigh finds the invalid tokens and the reason for each.
func (h *harmonyPlayer) weigh(c *call) (lists map[string][]string, invalid int) {
	c.batch.load(c.tokens)
	lists = map[string][]string{}
	for i, t := range c.tokens {
		reason := harmonyReason(t)
		if reason == "" && c.sim.invalid(t, c.batch.hashes[i]) {
			reason = harmonyReasons[0]
		}
		if reason == "" {
			continue
		}
		if !h.PlainReasons {
			reason = " " + reason + " "
		}
		c.batch.reject(i)
		lists[reason] = append(lists[reason], string(t))
		invalid++
	}
	return lists, invalid
}

func harmonyReason(token []byte) string {
	for _, reason := range harmonyReasons {
		if len(token) > len(reason) && token[len(reason)] == '-' && strings.HasPrefix(string(token), reason) {
			return reason
		}
	}
	return ""
}

// harmonyPartial and harmonyNone are the msg of a failure, as the document's
// examples have it: "success" is missing when there is none.
func harmonyPartial(lists map[string][]string, success, failure int) string {
	text, _ := json.Marshal(struct { // strings and numbers always marshal
		Illegal map[string][]string `json:"illegalTokens"`
		Success int                 `json:"success"`
		Failure int                 `json:"failure"`
	}{lists, success, failure})
	return string(text)
}

func harmonyNone(lists map[string][]string, failure int) string {
	text, _ := json.Marshal(struct { // strings and numbers always marshal
		Failure int                 `json:"failure"`
		Illegal map[string][]string `json:"illegalTokens"`
	}{failure, lists})
	return string(text)
}
