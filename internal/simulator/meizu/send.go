package meizu

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postrider/postrider/internal/simulator/play"
)

const (
	maxTokens = 100

	codeParam   = "1005"
	codeMissing = "110004"
)

// open finds the app and the push ids in the form.
func (m player) open(c *play.Call) {
	form, err := url.ParseQuery(string(c.Body))
	if err != nil {
		form = nil
	}
	c.App = form.Get("appId")
	if ids := form.Get("pushIds"); ids != "" {
		c.Tokens = append(c.Tokens[:0], bytes.Split([]byte(ids), []byte{','})...)
	}
	c.Parsed = form
}

func (m player) send(c *play.Call, check func(*play.Findings, map[string]any, []string)) play.Answer {
	form := c.Parsed.(url.Values)
	if !c.HasMethod(http.MethodPost) {
		return play.Answer{Status: http.StatusMethodNotAllowed}
	}
	code := m.admit(c, form)
	if code == "" && c.OverRate(1) {
		code = "110010"
	}
	if code == "" && m.NoPassThrough && strings.Contains(c.Request.URL.Path, "/unvarnished/") {
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

// admit returns the code for a wrong form, app or signature.
func (m player) admit(c *play.Call, form url.Values) string {
	switch {
	case !c.HasContentType(play.FormType):
		c.Violate("the content type is not " + play.FormType)
		return codeParam
	case form == nil:
		c.Violate("the body is not a form")
		return codeParam
	}
	c.ForbidQuery()
	for _, name := range slices.Sorted(maps.Keys(form)) {
		switch {
		case !slices.Contains([]string{"appId", "pushIds", "messageJson", "sign", "restrictedPackageNames"}, name):
			c.Violate("a parameter that is not one of the vendor's")
		case len(form[name]) > 1:
			c.Violatef("%s: is there twice", name)
			return codeParam
		}
	}
	for _, name := range []string{"appId", "pushIds", "messageJson", "sign"} {
		if form.Get(name) == "" {
			c.Violatef("%s: is missing", name)
			return codeMissing
		}
	}
	cred, ok := c.AppByClient(form.Get("appId"))
	switch {
	case !ok:
		c.Violate("appId: no such app")
		return "110000"
	case !c.AnyCredentials() && form.Get("sign") != signature(form, cred.Secret):
		c.Violate("sign: is not the signature of the parameters")
		return "1006"
	}
	return ""
}

// signature is the MD5 of the other parameters in the order of their names, not
// URL-encoded, and the secret.
func signature(form url.Values, secret string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(form)) {
		if name != "sign" {
			text.WriteString(name + "=" + form.Get(name))
		}
	}
	sum := md5.Sum([]byte(text.String() + secret))
	return hex.EncodeToString(sum[:])
}

func (m player) targets(c *play.Call) string {
	if n := len(c.Tokens); n > maxTokens {
		c.Violatef("pushIds: %d, not 1 to %d", n, maxTokens)
		return codeParam
	}
	if i := c.EmptyToken(); i >= 0 {
		c.Violatef("pushIds: number %d is empty", i+1)
		return codeParam
	}
	return ""
}

// message checks messageJson.
func (m player) message(c *play.Call, text string, check func(*play.Findings, map[string]any, []string)) string {
	root, err := play.DecodeObject([]byte(text))
	if err != nil {
		c.Violate("messageJson: is not a JSON object")
		return codeParam
	}
	p := &play.Findings{TypeCode: codeParam}
	c.Receipt = play.CallbackIn(play.Inside(root, "extra"))
	check(p, root, m.Callbacks)
	return c.RecordFindings(append(p.Types, p.Values...))
}

// push accepts the valid push ids and lists the others by code.
func (m player) push(c *play.Call) play.Answer {
	failed := map[string][]string{}
	for _, t := range c.FindInvalid() {
		failed["110002"] = append(failed["110002"], string(t))
	}
	for i, t := range c.Tokens {
		for _, p := range tokenPrefixes {
			if !c.Rejected(i) && bytes.HasPrefix(t, []byte(p.prefix)) {
				c.Reject(i)
				failed[p.code] = append(failed[p.code], string(t))
			}
		}
	}
	if n := c.Duplicates(); n > 0 {
		c.Violatef("pushIds: %d are there twice: their users get the message twice", n)
	}
	code, only := onlyCode(failed)
	if m.TopInvalid && only && len(c.Tokens) == 1 && (code == "110002" || code == "110003") {
		return m.envelope(c, code)
	}
	c.Accept()
	c.SendReceipts(c.Receipt)
	return m.partial(c, failed)
}
