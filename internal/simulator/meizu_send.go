package simulator

import (
	"bytes"
	"crypto/md5" //nolint:gosec // the vendor's signature is MD5
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	meizuMostTokens = 100

	meizuParam   = "1005"
	meizuMissing = "110004"
)

// open finds the app and the push ids in the form.
func (m meizuPlayer) open(c *call) {
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		form = nil
	}
	c.app = form.Get("appId")
	if ids := form.Get("pushIds"); ids != "" {
		c.tokens = append(c.tokens[:0], bytes.Split([]byte(ids), []byte{','})...)
	}
	c.parsed = form
}

func (m meizuPlayer) send(c *call, check func(*probe, map[string]any, []string)) answer {
	form := c.parsed.(url.Values)
	if c.r.Method != http.MethodPost {
		c.violate("method is " + c.r.Method + ", not POST")
		return answer{status: http.StatusMethodNotAllowed}
	}
	code := m.door(c, form)
	if code == "" && c.limited(1) {
		code = "110010"
	}
	if code == "" && m.NoPassThrough && strings.Contains(c.r.URL.Path, "/unvarnished/") {
		code = "110053"
	}
	if code == "" {
		code = m.targets(c)
	}
	if code == "" {
		code = m.message(c, form.Get("messageJson"), check)
	}
	if code != "" {
		return m.envelope(c, code)
	}
	return m.push(c)
}

// door returns the code for a form, an app or a signature that is wrong.
func (m meizuPlayer) door(c *call, form url.Values) string {
	switch {
	case !c.contentType("application/x-www-form-urlencoded"):
		c.violate("the content type is not application/x-www-form-urlencoded")
		return meizuParam
	case form == nil:
		c.violate("the body is not a form")
		return meizuParam
	case c.r.URL.RawQuery != "":
		c.violate("parameters in the URL, where logs show them")
	}
	for _, name := range slices.Sorted(maps.Keys(form)) {
		switch {
		case !slices.Contains([]string{"appId", "pushIds", "messageJson", "sign", "restrictedPackageNames"}, name):
			c.violate("a parameter that is not the vendor's")
		case len(form[name]) > 1:
			c.violatef("%s: stands there twice", name)
			return meizuParam
		}
	}
	for _, name := range []string{"appId", "pushIds", "messageJson", "sign"} {
		if form.Get(name) == "" {
			c.violatef("%s: is missing", name)
			return meizuMissing
		}
	}
	cred, ok := c.p.apps.client(form.Get("appId"))
	switch {
	case !ok:
		c.violate("appId: no such app")
		return "110000"
	case !c.p.apps.any && form.Get("sign") != meizuSign(form, cred.Secret):
		c.violate("sign: is not the signature of what was sent")
		return "1006"
	}
	return ""
}

// meizuSign is the MD5 over every other parameter, by name, as it was before
// it was encoded.
func meizuSign(form url.Values, secret string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if name != "sign" {
			text.WriteString(name + "=" + form.Get(name))
		}
	}
	sum := md5.Sum([]byte(text.String() + secret)) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}

func (m meizuPlayer) targets(c *call) string {
	if n := len(c.tokens); n > meizuMostTokens {
		c.violatef("pushIds: %d, not 1 to %d", n, meizuMostTokens)
		return meizuParam
	}
	if i := c.emptyToken(); i >= 0 {
		c.violatef("pushIds: number %d is empty", i+1)
		return meizuParam
	}
	return ""
}

// message judges messageJson.
func (m meizuPlayer) message(c *call, text string, check func(*probe, map[string]any, []string)) string {
	root, err := decodeWithout([]byte(text), span{})
	if err != nil {
		c.violate("messageJson: is not a JSON object")
		return meizuParam
	}
	p := &probe{shapeCode: meizuParam}
	c.asked = askedIn(inside(root, "extra"))
	check(p, root, m.Callbacks)
	return c.blame(append(p.shape, p.values...))
}

// push counts the valid push ids and lists the others by what is wrong with them.
func (m meizuPlayer) push(c *call) answer {
	failed := map[string][]string{}
	for _, t := range c.weigh() {
		failed["110002"] = append(failed["110002"], string(t))
	}
	for i, t := range c.tokens {
		for _, fate := range meizuFates {
			if !c.batch.dead[i] && bytes.HasPrefix(t, []byte(fate.prefix)) {
				c.batch.reject(i)
				failed[fate.code] = append(failed[fate.code], string(t))
			}
		}
	}
	if n := c.batch.twins(); n > 0 {
		c.violatef("pushIds: %d stand there twice: their users get the message twice", n)
	}
	code, only := meizuOnly(failed)
	if m.TopInvalid && only && len(c.tokens) == 1 && (code == "110002" || code == "110003") {
		return m.envelope(c, code)
	}
	c.accept()
	c.owe(c.asked)
	return m.partial(c, failed)
}
