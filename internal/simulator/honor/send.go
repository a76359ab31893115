package honor

import (
	"bytes"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

const (
	maxTokens = 1000
	maxBytes  = 4096 // of the body without its tokens
)

// openSend finds the app in the path and the tokens by scanning.
func (h player) openSend(c *play.Call) {
	if cred, ok := c.AppByID(c.Request.PathValue("app")); ok {
		c.App = cred.App
	}
	c.Parsed = c.ScanTokens("token")
}

func (h player) send(c *play.Call) play.Answer {
	if !c.HasMethod(http.MethodPost) {
		return play.Answer{Status: http.StatusMethodNotAllowed}
	}
	for _, check := range []func(*play.Call) string{h.authorize, h.timestamp, h.appExists, h.targets, h.structure} {
		if code := check(c); code != "" {
			return h.envelope(c, code)
		}
	}
	if c.OverRate(len(c.Tokens)) {
		return h.envelope(c, "80200021")
	}
	return h.push(c)
}

// authorize returns the code that refuses the caller, if any. The access token
// must be of the app that the path names.
func (h player) authorize(c *play.Call) string {
	token := c.Bearer()
	if token == "" {
		return "403"
	}
	app, state := c.CheckAccess(token)
	switch state {
	case play.AccessValid:
		if c.App == "" || app == c.App || c.AnyCredentials() {
			return ""
		}
		c.Violate("the access token is another app's")
	case play.AccessUnknown:
		if c.AnyCredentials() {
			return ""
		}
		c.Violate("the access token was never issued")
	case play.AccessExpired, play.AccessRevoked:
	}
	return "403"
}

var millisForm = regexp.MustCompile(`^[0-9]{13}$`)

// timestampSkew is how far the header timestamp may be from now. No document says it.
const timestampSkew = 5 * time.Minute

// timestamp checks the header timestamp, which is in milliseconds.
func (h player) timestamp(c *play.Call) string {
	stamp := c.Request.Header.Get("Timestamp")
	if stamp == "" {
		c.Violate("no header timestamp")
		return "10001"
	}
	if !millisForm.MatchString(stamp) {
		c.Violate("the header timestamp is not in milliseconds")
		return "10207"
	}
	millis, _ := strconv.ParseInt(stamp, 10, 64) // 13 digits are a number
	if c.Now.Sub(time.UnixMilli(millis)).Abs() > timestampSkew {
		c.Violatef("the header timestamp is over %s from now", timestampSkew)
		return "10207"
	}
	return ""
}

func (h player) appExists(c *play.Call) string {
	if c.App == "" {
		c.Violate("the path names an app that does not exist")
		return "10205"
	}
	return ""
}

// targets checks the tokens. One that is there twice refuses all of them.
func (h player) targets(c *play.Call) string {
	l := c.Parsed.(play.TokenList)
	if l.Broken || l.NotStrings {
		return "" // structure reports it
	}
	if len(c.Tokens) == 0 {
		c.Violate("token: is missing or empty")
		return "10300"
	}
	c.HashTokens()
	if n := c.Duplicates(); n > 0 {
		c.Violatef("token: %d tokens are there twice", n)
		return "80300006"
	}
	if n := len(c.Tokens); n > maxTokens {
		c.Violatef("token: %d tokens, more than %d", n, maxTokens)
		return "80300010"
	}
	if i := c.EmptyToken(); i >= 0 {
		c.Violatef("token[%d]: is empty", i)
		return "10300"
	}
	if n := l.Size(c); n > maxBytes {
		c.Violatef("the body without its tokens has %d bytes, more than %d", n, maxBytes)
		return "80300008"
	}
	return ""
}

// structure decodes the body without its tokens and checks it.
func (h player) structure(c *play.Call) string {
	l := c.Parsed.(play.TokenList)
	if !c.HasContentType("application/json") {
		c.Violate("the content type is not application/json")
		return codeParam
	}
	root, err := play.DecodeWithout(c.Body, l.Span)
	switch {
	case l.Broken || err != nil:
		c.Violate("the body is not a JSON object")
		return codeParam
	case l.NotStrings:
		c.Violate("token is not an array of strings")
		return codeParam
	}
	p := &play.Findings{TypeCode: codeParam}
	rootFields(p, "", root)
	if len(p.Types) > 0 {
		return c.RecordFindings(p.Types)
	}
	c.Receipt.Tag, _ = play.Inside(root, "android")["biTag"].(string)
	checkMeaning(p, root)
	return c.RecordFindings(p.Values)
}

// push accepts the valid tokens and lists the others: those that begin with
// "fail-" failed, other invalid ones have expired.
func (h player) push(c *play.Call) play.Answer {
	fail, expire := h.findInvalid(c)
	c.Accept()
	c.SendReceipts(c.Receipt)
	switch {
	case len(fail)+len(expire) == 0:
		return h.success(c)
	case len(expire) == len(c.Tokens) && h.ListsUnderAllInvalid:
		return h.say("80300007", h.data(c, false, nil, expire))
	case len(expire) == len(c.Tokens):
		return h.say("80300007", nil)
	case h.ListsUnderSuccess:
		return h.say("200", h.data(c, !h.NotSent, fail, expire))
	}
	return h.say("80100000", h.data(c, !h.NotSent, fail, expire))
}

func (h player) findInvalid(c *play.Call) (fail, expire []string) {
	for _, t := range c.FindInvalid() {
		expire = append(expire, string(t))
	}
	for i, t := range c.Tokens {
		if !c.Rejected(i) && bytes.HasPrefix(t, []byte("fail-")) {
			c.Reject(i)
			fail = append(fail, string(t))
		}
	}
	return fail, expire
}
