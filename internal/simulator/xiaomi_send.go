package simulator

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
)

const (
	xiaomiMostTokens   = 1000
	xiaomiMostMessages = 1000 // second-hand: no document says it

	xiaomiParam   = "10008" // a form or JSON that cannot be read
	xiaomiMissing = "10016"
	xiaomiIllegal = "10017"
)

// xiaomiBody is a request taken apart.
type xiaomiBody struct {
	form     url.Values
	broken   bool // no form
	messages []any
	notList  bool // messages is no JSON array
}

// openSend finds the app by its secret and the tokens in the form.
func (x xiaomiPlayer) openSend(c *call) {
	b := x.open(c)
	if ids := b.form.Get("registration_id"); ids != "" {
		c.tokens = append(c.tokens[:0], bytes.Split([]byte(ids), []byte{','})...)
	}
	c.parsed = b
}

// openMany finds the targets of all messages.
func (x xiaomiPlayer) openMany(c *call) {
	b := x.open(c)
	dec := json.NewDecoder(strings.NewReader(b.form.Get("messages")))
	dec.UseNumber()
	err := dec.Decode(&b.messages)
	if err == nil {
		_, err = dec.Token()
	}
	b.notList = err != io.EOF || b.messages == nil
	c.tokens = c.tokens[:0]
	for _, m := range b.messages {
		one, _ := m.(map[string]any)
		target, _ := one["target"].(string)
		c.tokens = append(c.tokens, []byte(target))
	}
	c.parsed = b
}

func (x xiaomiPlayer) open(c *call) xiaomiBody {
	form, err := url.ParseQuery(string(c.body))
	b := xiaomiBody{form: form, broken: err != nil}
	if cred, ok := xiaomiApp(c); ok {
		c.app = cred.App
	}
	return b
}

// xiaomiApp is the app whose secret stands in the header: nothing else in a
// request says whose it is.
func xiaomiApp(c *call) (Credential, bool) {
	secret, ok := strings.CutPrefix(c.r.Header.Get("Authorization"), "key=")
	if !ok || secret == "" {
		return Credential{}, false
	}
	for _, id := range slices.Sorted(maps.Keys(c.p.apps.clients)) {
		if cred := c.p.apps.clients[id]; cred.Secret == secret {
			return cred, true
		}
	}
	return Credential{App: "any"}, c.p.apps.any
}

// send is one message to many tokens.
func (x xiaomiPlayer) send(c *call) answer {
	b := c.parsed.(xiaomiBody)
	if a, refused := x.door(c, b); refused {
		return a
	}
	if code := x.targets(c); code != "" {
		return x.envelope(c, code)
	}
	message := xiaomiMessage(b.form)
	code := x.judge(c, xiaomiForm, "", message, "", message)
	c.blame(xiaomiRepeated(b.form))
	if code != "" {
		return x.envelope(c, code)
	}
	c.asked = askedIn(inside(message, "extra"))
	return x.push(c, jobkeyOf(message))
}

// many is a message of its own for every token.
func (x xiaomiPlayer) many(c *call) answer {
	b := c.parsed.(xiaomiBody)
	if a, refused := x.door(c, b); refused {
		return a
	}
	code := x.batch(c, b)
	for i := 0; i < len(b.messages) && code == ""; i++ {
		code = x.one(c, "messages["+strconv.Itoa(i)+"]", b.messages[i])
	}
	if code != "" {
		return x.envelope(c, code)
	}
	return x.pushMany(c, b)
}

// one judges a message with its target.
func (x xiaomiPlayer) one(c *call, path string, v any) string {
	m, _ := v.(map[string]any)
	return x.judge(c, xiaomiTargeted, path, v, join(path, "message"), inside(m, "message"))
}

// judge checks the shape of what stands at path, then what the message in it means.
func (x xiaomiPlayer) judge(c *call, shape check, path string, v any, at string, message map[string]any) string {
	p := &probe{shapeCode: xiaomiParam}
	shape(p, path, v)
	if code := c.blame(p.shape); code != "" {
		return code
	}
	x.meaning(p, c, at, message)
	return c.blame(p.values)
}

// door checks whatever is not the message.
func (x xiaomiPlayer) door(c *call, b xiaomiBody) (a answer, refused bool) {
	if c.r.Method != http.MethodPost {
		c.violate("method is " + c.r.Method + ", not POST")
		return answer{status: http.StatusMethodNotAllowed}, true
	}
	authorization := c.r.Header.Get("Authorization")
	_, known := xiaomiApp(c)
	switch {
	case !strings.HasPrefix(authorization, "key="):
		c.violate("Authorization does not begin with key=, in small letters and without blanks")
		if x.SchemeStatus != 0 && x.SchemeStatus != http.StatusOK {
			return answer{status: x.SchemeStatus}, true
		}
		return x.envelope(c, "21301"), true
	case !known:
		c.violate("the secret is no app's")
		return x.envelope(c, "21301"), true
	case c.limited(1):
		return x.envelope(c, "200002"), true
	case !c.contentType("application/x-www-form-urlencoded"):
		c.violate("the content type is not application/x-www-form-urlencoded")
		return x.envelope(c, "10012"), true
	case b.broken:
		c.violate("the body is not a form")
		return x.envelope(c, xiaomiParam), true
	}
	if c.r.URL.RawQuery != "" {
		c.violate("parameters in the URL, where logs show them")
	}
	return answer{}, false
}

func (x xiaomiPlayer) targets(c *call) string {
	switch n := len(c.tokens); {
	case n == 0:
		c.violate("registration_id: is missing")
		return xiaomiMissing
	case n > xiaomiMostTokens:
		c.violatef("registration_id: %d tokens, more than %d", n, xiaomiMostTokens)
		return xiaomiIllegal
	}
	return x.blanks(c, "registration_id")
}

// blanks finds tokens that were mangled on the way: a + in them that was not
// escaped arrives as a blank.
func (x xiaomiPlayer) blanks(c *call, path string) string {
	for _, t := range c.tokens {
		switch {
		case len(t) == 0:
			c.violate(path + ": holds an empty token")
			return xiaomiIllegal
		case bytes.ContainsAny(t, " \t\r\n"):
			c.violate(path + ": holds a token with a blank; is it escaped for a form?")
		}
	}
	return ""
}

func (x xiaomiPlayer) batch(c *call, b xiaomiBody) string {
	for _, name := range slices.Sorted(maps.Keys(b.form)) {
		if name != "messages" && name != "time_to_send" {
			c.violate(name + ": is no field of the vendor's")
		}
	}
	most := x.ManyMost
	if most == 0 {
		most = xiaomiMostMessages
	}
	switch n := len(b.messages); {
	case b.notList:
		c.violate("messages: is not a JSON array")
		return xiaomiParam
	case n == 0:
		c.violate("messages: is empty")
		return xiaomiMissing
	case n > most:
		c.violatef("messages: %d of them, more than %d", n, most)
		return xiaomiIllegal
	}
	return x.blanks(c, "messages.target")
}

// push counts the valid tokens and names the others.
func (x xiaomiPlayer) push(c *call, jobkey string) answer {
	invalid := c.weigh()
	if n := c.batch.twins(); n > 0 {
		c.violatef("registration_id: %d tokens stand there twice", n)
	}
	if len(invalid) == len(c.tokens) {
		c.accept()
		return x.envelope(c, "20301")
	}
	if x.DayQuota > 0 && x.day.of(c.app, c.now) >= x.DayQuota {
		return x.envelope(c, "200001")
	}
	x.show(c, func(int) string { return jobkey })
	c.acceptBut(len(invalid))
	c.owe(c.asked)
	x.day.add(c.app, c.now, len(c.tokens)-len(invalid))
	return x.accepted(c, invalid, "")
}

// pushMany is push, but the day's quota throws single messages away: then the
// answer says how many of which channel, and not which ones.
func (x xiaomiPlayer) pushMany(c *call, b xiaomiBody) answer {
	invalid := c.weigh()
	over, failed, ask := map[string]int{}, len(invalid), make([]asked, len(b.messages))
	for i, m := range b.messages {
		one, _ := m.(map[string]any)
		ask[i] = askedIn(inside(one, "message", "extra"))
		if c.batch.dead[i] || x.day.take(c.app, c.now, x.DayQuota) {
			continue
		}
		c.batch.reject(i)
		failed++
		channel, _ := inside(one, "message", "extra")["channel_id"].(string)
		over[cmp.Or(channel, "no_channel")]++
	}
	x.show(c, func(i int) string {
		one, _ := b.messages[i].(map[string]any)
		return jobkeyOf(inside(one, "message"))
	})
	c.acceptBut(failed)
	c.owe(ask...)
	if len(invalid) == len(c.tokens) {
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
