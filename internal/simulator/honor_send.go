package simulator

import (
	"bytes"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	honorMostTokens = 1000
	honorMostBytes  = 4096 // of the body without its tokens
)

// openSend finds the app by the path and the tokens by scanning.
func (h honorPlayer) openSend(c *call) {
	if cred, ok := c.p.apps.app(c.r.PathValue("app")); ok {
		c.app = cred.App
	}
	c.parsed = c.scanList("token")
}

func (h honorPlayer) send(c *call) answer {
	if c.r.Method != http.MethodPost {
		c.violate("method is " + c.r.Method + ", not POST")
		return answer{status: http.StatusMethodNotAllowed}
	}
	for _, ask := range []func(*call) string{h.authorize, h.timely, h.addressed, h.targets, h.structure} {
		if code := ask(c); code != "" {
			return h.envelope(c, code)
		}
	}
	if c.limited(len(c.tokens)) {
		return h.envelope(c, "80200021")
	}
	return h.push(c)
}

// authorize returns the code that refuses the caller, if any. The access token
// must be of the app that the path names.
func (h honorPlayer) authorize(c *call) string {
	token, ok := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		c.violate("no Authorization: Bearer header")
		return "403"
	}
	app, standing := c.sim.auth.check(c.p.name, token, c.now)
	switch standing {
	case valid:
		if c.app == "" || app == c.app || c.p.apps.any {
			return ""
		}
		c.violate("the access token is another app's")
	case unknown:
		if c.p.apps.any {
			return ""
		}
		c.violate("the access token was never issued")
	case expired, revoked:
	}
	return "403"
}

var honorMillis = regexp.MustCompile(`^[0-9]{13}$`)

// timely checks the header timestamp, which is in milliseconds.
func (h honorPlayer) timely(c *call) string {
	stamp := c.r.Header.Get("Timestamp")
	if stamp == "" {
		c.violate("no header timestamp")
		return "10001"
	}
	if !honorMillis.MatchString(stamp) {
		c.violate("the header timestamp is not in milliseconds")
		return "10207"
	}
	millis, _ := strconv.ParseInt(stamp, 10, 64) // 13 digits are a number
	skew := h.Skew
	if skew == 0 {
		skew = 5 * time.Minute
	}
	if c.now.Sub(time.UnixMilli(millis)).Abs() > skew {
		c.violatef("the header timestamp is over %s from now", skew)
		return "10207"
	}
	return ""
}

func (h honorPlayer) addressed(c *call) string {
	if c.app == "" {
		c.violate("the path names an app that does not exist")
		return "10205"
	}
	return ""
}

// targets checks the tokens: a repeated one refuses them all.
func (h honorPlayer) targets(c *call) string {
	l := c.parsed.(listed)
	if l.broken || l.notTexts {
		return "" // structure says so
	}
	if len(c.tokens) == 0 {
		c.violate("token: there is none")
		return "10300"
	}
	c.batch.load(c.tokens)
	if n := c.batch.twins(); n > 0 {
		c.violatef("token: %d tokens stand there twice", n)
		return "80300006"
	}
	if n := len(c.tokens); n > honorMostTokens {
		c.violatef("token: %d tokens, more than %d", n, honorMostTokens)
		return "80300010"
	}
	if i := c.emptyToken(); i >= 0 {
		c.violatef("token[%d]: is empty", i)
		return "10300"
	}
	if n := l.size(c); n > honorMostBytes {
		c.violatef("the body without its tokens has %d bytes, more than %d", n, honorMostBytes)
		return "80300008"
	}
	return ""
}

// structure decodes what is left of the body without its tokens and checks it.
func (h honorPlayer) structure(c *call) string {
	l := c.parsed.(listed)
	if !c.contentType("application/json") {
		c.violate("the content type is not application/json")
		return honorParam
	}
	root, err := decodeWithout(c.body, l.span)
	switch {
	case l.broken || err != nil:
		c.violate("the body is not a JSON object")
		return honorParam
	case l.notTexts:
		c.violate("token is not an array of strings")
		return honorParam
	}
	p := &probe{shapeCode: honorParam}
	honorRoot(p, "", root)
	if len(p.shape) > 0 {
		return c.blame(p.shape)
	}
	c.asked.tag, _ = inside(root, "android")["biTag"].(string)
	honorMeaning(p, root)
	return c.blame(p.values)
}

// push counts the valid tokens and lists the others: those that begin with
// "fail-" failed, other invalid ones expired.
func (h honorPlayer) push(c *call) answer {
	fail, expire := h.weigh(c)
	c.accept()
	c.owe(c.asked)
	switch {
	case len(fail)+len(expire) == 0:
		return h.success(c)
	case len(expire) == len(c.tokens) && h.ListsUnderAllInvalid:
		return h.say("80300007", h.data(c, false, nil, expire))
	case len(expire) == len(c.tokens):
		return h.say("80300007", nil)
	case h.ListsUnderSuccess:
		return h.say("200", h.data(c, !h.NotSent, fail, expire))
	}
	return h.say("80100000", h.data(c, !h.NotSent, fail, expire))
}

func (h honorPlayer) weigh(c *call) (fail, expire []string) {
	for _, t := range c.weigh() {
		expire = append(expire, string(t))
	}
	for i, t := range c.tokens {
		if !c.batch.dead[i] && bytes.HasPrefix(t, []byte("fail-")) {
			c.batch.reject(i)
			fail = append(fail, string(t))
		}
	}
	return fail, expire
}
