package xiaomi

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"github.com/postrider/postrider/internal/simulator/play"
)

const (
	maxTokens   = 1000
	maxMessages = 1000 // from users: no document says it

	codeParam   = "10008" // a form or JSON that cannot be decoded
	codeMissing = "10016"
	codeIllegal = "10017"
)

// sendBody is a decoded request.
type sendBody struct {
	form     url.Values
	broken   bool // not a form
	messages []any
	notList  bool // messages is not a JSON array
}

// openSend finds the app by its secret and the tokens in the form.
func (x player) openSend(c *play.Call) {
	b := x.open(c)
	if ids := b.form.Get("registration_id"); ids != "" {
		c.Tokens = append(c.Tokens[:0], bytes.Split([]byte(ids), []byte{','})...)
	}
	c.Parsed = b
}

func (x player) open(c *play.Call) sendBody {
	form, err := url.ParseQuery(string(c.Body))
	b := sendBody{form: form, broken: err != nil}
	if cred, ok := appOf(c); ok {
		c.App = cred.App
	}
	return b
}

// appOf is the app whose secret is in the header: nothing else in a request
// names the app.
func appOf(c *play.Call) (play.Credential, bool) {
	secret, ok := strings.CutPrefix(c.Request.Header.Get("Authorization"), "key=")
	if !ok || secret == "" {
		return play.Credential{}, false
	}
	return c.AppBySecret(secret)
}

// send is one message to many tokens.
func (x player) send(c *play.Call) play.Answer {
	b := c.Parsed.(sendBody)
	if a, refused := x.admit(c, b); refused {
		return a
	}
	if code := x.targets(c); code != "" {
		return x.envelope(c, code)
	}
	message := formMessage(b.form)
	code := x.check(c, formFields, "", message, "", message)
	c.RecordFindings(repeatedFields(b.form))
	if code != "" {
		return x.envelope(c, code)
	}
	c.Receipt = play.CallbackIn(play.Inside(message, "extra"))
	return x.push(c, jobkeyOf(message))
}

// check checks the types of the value at path, then the message in it.
func (x player) check(c *play.Call, shape play.Check, path string, v any, at string, message map[string]any) string {
	p := &play.Findings{TypeCode: codeParam}
	shape(p, path, v)
	if code := c.RecordFindings(p.Types); code != "" {
		return code
	}
	x.meaning(p, c, at, message)
	return c.RecordFindings(p.Values)
}

// admit checks everything but the message.
func (x player) admit(c *play.Call, b sendBody) (a play.Answer, refused bool) {
	if !c.HasMethod(http.MethodPost) {
		return play.Answer{Status: http.StatusMethodNotAllowed}, true
	}
	authorization := c.Request.Header.Get("Authorization")
	_, known := appOf(c)
	switch {
	case !strings.HasPrefix(authorization, "key="):
		c.Violate("Authorization does not begin with key=, in lower case and without spaces")
		if x.SchemeStatus != 0 && x.SchemeStatus != http.StatusOK {
			return play.Answer{Status: x.SchemeStatus}, true
		}
		return x.envelope(c, "21301"), true
	case !known:
		c.Violate("the secret is not the secret of an app")
		return x.envelope(c, "21301"), true
	case c.OverRate(1):
		return x.envelope(c, "200002"), true
	case !c.HasContentType(play.FormType):
		c.Violate("the content type is not " + play.FormType)
		return x.envelope(c, "10012"), true
	case b.broken:
		c.Violate("the body is not a form")
		return x.envelope(c, codeParam), true
	}
	c.ForbidQuery()
	return play.Answer{}, false
}

func (x player) targets(c *play.Call) string {
	switch n := len(c.Tokens); {
	case n == 0:
		c.Violate("registration_id: is missing")
		return codeMissing
	case n > maxTokens:
		c.Violatef("registration_id: %d tokens, more than %d", n, maxTokens)
		return codeIllegal
	}
	return x.checkSpaces(c, "registration_id")
}

// checkSpaces finds tokens that were damaged on the way: a + that was not escaped
// arrives as a space.
func (x player) checkSpaces(c *play.Call, path string) string {
	for _, t := range c.Tokens {
		switch {
		case len(t) == 0:
			c.Violate(path + ": has an empty token")
			return codeIllegal
		case bytes.ContainsAny(t, " \t\r\n"):
			c.Violate(path + ": has a token with a space; is it escaped for a form?")
		}
	}
	return ""
}

// push accepts the valid tokens and names the others.
func (x player) push(c *play.Call, jobkey string) play.Answer {
	invalid := c.FindInvalid()
	if n := c.Duplicates(); n > 0 {
		c.Violatef("registration_id: %d tokens are there twice", n)
	}
	if len(invalid) == len(c.Tokens) {
		c.Accept()
		return x.envelope(c, "20301")
	}
	if x.DayQuota > 0 && x.day.Used(c.App, c.Now) >= x.DayQuota {
		return x.envelope(c, "200001")
	}
	x.show(c, func(int) string { return jobkey })
	c.AcceptExcept(len(invalid))
	c.SendReceipts(c.Receipt)
	x.day.Add(c.App, c.Now, len(c.Tokens)-len(invalid))
	return x.accepted(c, invalid, "")
}
