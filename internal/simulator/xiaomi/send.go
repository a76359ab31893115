package xiaomi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
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

// openMany finds the targets of all messages.
func (x player) openMany(c *play.Call) {
	b := x.open(c)
	dec := json.NewDecoder(strings.NewReader(b.form.Get("messages")))
	dec.UseNumber()
	err := dec.Decode(&b.messages)
	if err == nil {
		_, err = dec.Token()
	}
	b.notList = err != io.EOF || b.messages == nil
	c.Tokens = c.Tokens[:0]
	for _, m := range b.messages {
		one, _ := m.(map[string]any)
		target, _ := one["target"].(string)
		c.Tokens = append(c.Tokens, []byte(target))
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

// many is a message of its own for every token.
func (x player) many(c *play.Call) play.Answer {
	b := c.Parsed.(sendBody)
	if a, refused := x.admit(c, b); refused {
		return a
	}
	code := x.checkMany(c, b)
	for i := 0; i < len(b.messages) && code == ""; i++ {
		code = x.checkOne(c, "messages["+strconv.Itoa(i)+"]", b.messages[i])
	}
	if code != "" {
		return x.envelope(c, code)
	}
	return x.pushMany(c, b)
}

// checkOne checks a message with its target.
func (x player) checkOne(c *play.Call, path string, v any) string {
	m, _ := v.(map[string]any)
	return x.check(c, targetedFields, path, v, play.JoinPath(path, "message"), play.Inside(m, "message"))
}

// check checks the types of the value at path, then the message in it.
func (x player) check(c *play.Call, shape play.Check, path string, v any, at string, message map[string]any) string {
	p := &play.Probe{ShapeCode: codeParam}
	shape(p, path, v)
	if code := c.RecordFindings(p.Shape); code != "" {
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
		c.Violate("Authorization does not begin with key=, in small letters and without blanks")
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
	return x.blanks(c, "registration_id")
}

// blanks finds tokens that were damaged on the way: a + that was not escaped
// arrives as a blank.
func (x player) blanks(c *play.Call, path string) string {
	for _, t := range c.Tokens {
		switch {
		case len(t) == 0:
			c.Violate(path + ": holds an empty token")
			return codeIllegal
		case bytes.ContainsAny(t, " \t\r\n"):
			c.Violate(path + ": holds a token with a blank; is it escaped for a form?")
		}
	}
	return ""
}

// checkMany checks a request with many messages, but not the messages.
func (x player) checkMany(c *play.Call, b sendBody) string {
	for _, name := range slices.Sorted(maps.Keys(b.form)) {
		if name != "messages" && name != "time_to_send" {
			c.Violate(name + ": is not a field of the vendor's")
		}
	}
	switch n := len(b.messages); {
	case b.notList:
		c.Violate("messages: is not a JSON array")
		return codeParam
	case n == 0:
		c.Violate("messages: is empty")
		return codeMissing
	case n > maxMessages:
		c.Violatef("messages: %d of them, more than %d", n, maxMessages)
		return codeIllegal
	}
	return x.blanks(c, "messages.target")
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

// pushMany is push, but the quota of the day drops single messages: the answer
// says how many of which channel, but not which ones.
func (x player) pushMany(c *play.Call, b sendBody) play.Answer {
	invalid := c.FindInvalid()
	over, failed, requests := map[string]int{}, len(invalid), make([]play.ReceiptRequest, len(b.messages))
	for i, m := range b.messages {
		one, _ := m.(map[string]any)
		requests[i] = play.CallbackIn(play.Inside(one, "message", "extra"))
		if c.Rejected(i) || x.day.Take(c.App, c.Now, x.DayQuota) {
			continue
		}
		c.Reject(i)
		failed++
		channel, _ := play.Inside(one, "message", "extra")["channel_id"].(string)
		over[cmp.Or(channel, "no_channel")]++
	}
	x.show(c, func(i int) string {
		one, _ := b.messages[i].(map[string]any)
		return jobkeyOf(play.Inside(one, "message"))
	})
	c.AcceptExcept(failed)
	c.SendReceipts(requests...)
	if len(invalid) == len(c.Tokens) {
		return x.envelope(c, "20301")
	}
	if x.ManySilent {
		invalid = nil
	}
	return x.accepted(c, invalid, counted(over))
}

// counted writes "a:3 no_channel:2".
func counted(over map[string]int) string {
	var parts []string
	for _, channel := range slices.Sorted(maps.Keys(over)) {
		parts = append(parts, channel+":"+strconv.Itoa(over[channel]))
	}
	return strings.Join(parts, " ")
}
