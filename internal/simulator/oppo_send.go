package simulator

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	oppoMost     = 1000
	oppoInvalid  = "10000"
	oppoSilenced = "10001"
)

// oppoForm is a post taken apart.
type oppoForm struct {
	form    url.Values
	broken  bool // no form
	targets []oppoTarget
	notList bool // messages is no JSON array of objects
}

// oppoTarget is one message to one phone.
type oppoTarget struct {
	members      map[string]json.RawMessage
	notification map[string]any
	id           string // app_message_id
	public       bool   // counts against the day's quota
}

// openForm finds the app.
func (o *oppoPlayer) openForm(c *call) {
	form, err := url.ParseQuery(string(c.body))
	b := &oppoForm{form: form, broken: err != nil}
	token := form.Get("auth_token")
	if token == "" {
		token = c.r.Header.Get("auth_token")
	}
	c.app, _ = c.sim.auth.check(c.p.name, token, c.now)
	c.parsed = b
}

func (o *oppoPlayer) openUnicast(c *call) {
	o.openForm(c)
	b := c.parsed.(*oppoForm)
	b.read(c, "["+b.form.Get("message")+"]")
}

func (o *oppoPlayer) openBatch(c *call) {
	o.openForm(c)
	b := c.parsed.(*oppoForm)
	b.read(c, b.form.Get("messages"))
}

// read takes the targets of messages.
func (b *oppoForm) read(c *call, messages string) {
	var list []map[string]json.RawMessage
	b.notList = json.Unmarshal([]byte(messages), &list) != nil || list == nil || slices.ContainsFunc(list, func(m map[string]json.RawMessage) bool { return m == nil })
	if b.notList {
		return
	}
	b.targets = make([]oppoTarget, len(list))
	for i, members := range list {
		var token string
		if json.Unmarshal(members["target_value"], &token) != nil {
			token = ""
		}
		b.targets[i].members = members
		c.tokens = append(c.tokens, []byte(token))
	}
}

func (o *oppoPlayer) openBroadcast(c *call) {
	o.openForm(c)
	if ids := c.parsed.(*oppoForm).form.Get("target_value"); ids != "" {
		c.tokens = append(c.tokens[:0], bytes.Split([]byte(ids), []byte{';'})...)
	}
}

// door checks whatever is not the message.
func (o *oppoPlayer) door(c *call, fields ...string) string {
	b := c.parsed.(*oppoForm)
	if code := o.formally(c); code != "" {
		return code
	}
	if b.broken {
		c.violate("the body is not a form in UTF-8")
		return "25"
	}
	if code := o.authorize(c, b.form.Get("auth_token")); code != "" {
		return code
	}
	if cred, _ := c.p.apps.app(c.app); slices.Contains(cred.Lacks, RightPush) {
		return "30"
	}
	if len(c.tokens) > 0 && c.limited(len(c.tokens)) {
		return o.tooFast()
	}
	if len(fields) > 0 {
		for _, name := range unlistedKeys(b.form, append(fields, "auth_token", "sdk_version")...) {
			c.violate(name + ": is no field of the vendor's")
		}
	}
	return ""
}

func (o *oppoPlayer) unicast(c *call) answer {
	code := o.door(c, "message")
	if code == "" {
		code = o.judge(c, "message", 1)
	}
	if code != "" {
		return o.envelope(c, code)
	}
	if code := o.deliver(c)[0]; code != "" {
		return o.envelope(c, code)
	}
	return o.unicastDone(c)
}

func (o *oppoPlayer) unicastDone(c *call) answer {
	return o.say("0", "", map[string]any{"messageId": c.app + "-1-1-" + c.vendorID()})
}

func (o *oppoPlayer) batch(c *call) answer {
	code := o.door(c, "messages")
	if code == "" {
		code = o.judge(c, "messages", oppoMost)
	}
	if code != "" {
		return o.envelope(c, code)
	}
	return o.items(c, o.deliver(c))
}

func (o *oppoPlayer) batchDone(c *call) answer { return o.items(c, make([]string, len(c.tokens))) }

// oppoItem is what is said of one message of a batch. A failed one has a
// messageId too, in newer documents.
type oppoItem struct {
	MessageID      string      `json:"messageId"`
	RegistrationID string      `json:"registrationId"`
	ErrorCode      json.Number `json:"errorCode,omitempty"`
	ErrorMessage   string      `json:"errorMessage,omitempty"`
}

func (o *oppoPlayer) items(c *call, codes []string) answer {
	list := make([]oppoItem, len(codes))
	for i, code := range codes {
		list[i] = oppoItem{c.vendorID(), string(c.tokens[i]), json.Number(code), oppoCodes[code]}
	}
	if o.Shuffled {
		slices.Reverse(list)
	}
	return o.say("0", "", list)
}

// judge checks the targets of a unicast or a batch.
func (o *oppoPlayer) judge(c *call, name string, most int) string {
	b := c.parsed.(*oppoForm)
	switch n := len(b.targets); {
	case b.form.Get(name) == "":
		c.violate(name + ": is missing")
		return oppoMissing
	case b.notList:
		c.violate(name + ": is not JSON of the right kind")
		return oppoIllegal
	case n == 0 || n > most:
		c.violatef("%s: %d targets, not 1 to %d", name, n, most)
		return oppoIllegal
	}
	var last *oppoTarget
	for i := range b.targets {
		path := name
		if most > 1 {
			path += "[" + strconv.Itoa(i) + "]"
		}
		if code := o.judgeTarget(c, path, i, last); code != "" {
			return code
		}
		last = &b.targets[i]
	}
	return ""
}

// judgeTarget checks one target. A notification that is the same as the last
// one is not checked again.
func (o *oppoPlayer) judgeTarget(c *call, path string, i int, last *oppoTarget) string {
	t := &c.parsed.(*oppoForm).targets[i]
	p := &probe{shapeCode: oppoIllegal}
	for name, check := range oppoTargetFields {
		if raw, ok := t.members[name]; ok {
			v, _ := jsonValue(string(raw)) // it was JSON a moment ago
			check(p, join(path, name), v)
		}
	}
	for name := range t.members {
		if _, known := oppoTargetFields[name]; !known && name != "notification" {
			p.wrong(join(path, name), "is no field of the vendor's", "")
		}
	}
	if code := c.blame(append(p.shape, p.values...)); code != "" {
		return code
	}
	if code := oppoReceiver(c, path, t.members, c.tokens[i]); code != "" {
		return code
	}
	if last != nil && bytes.Equal(last.members["notification"], t.members["notification"]) {
		t.notification, t.id, t.public = last.notification, last.id, last.public
		return ""
	}
	return o.judgeNotification(c, join(path, "notification"), t)
}

var oppoTargetFields = map[string]check{
	"target_type":            integer(1, 6, oppoIllegal),
	"target_value":           text(0, ""),
	"verify_registration_id": boolean,
}

// oppoReceiver wants exactly one registration id.
func oppoReceiver(c *call, path string, members map[string]json.RawMessage, token []byte) string {
	switch {
	case members["target_type"] == nil || members["target_value"] == nil || members["notification"] == nil:
		c.violate(path + ": target_type, target_value or notification is missing")
		return oppoMissing
	case string(members["target_type"]) != "2":
		c.violate(join(path, "target_type") + ": only registration ids, which are 2, are played here")
		return oppoIllegal
	case len(token) == 0 || bytes.ContainsAny(token, ";, "):
		c.violate(join(path, "target_value") + ": is not one registration id")
		return oppoIllegal
	}
	return ""
}

func (o *oppoPlayer) judgeNotification(c *call, path string, t *oppoTarget) string {
	n, err := jsonObject(string(t.members["notification"]))
	if err != nil {
		c.violate(path + ": is not an object")
		return oppoIllegal
	}
	t.notification = n
	t.id, _ = n["app_message_id"].(string)
	category, _ := n["category"].(string)
	t.public = !slices.Contains(oppoService, category)
	return o.judgeMessage(c, path, n, oppoNotification)
}

func (o *oppoPlayer) judgeMessage(c *call, path string, n map[string]any, shape check) string {
	p := &probe{shapeCode: oppoIllegal}
	shape(p, path, n)
	if code := c.blame(p.shape); code != "" {
		return code
	}
	oppoMeaning(p, path, n)
	if cred, _ := c.p.apps.app(c.app); n["notify_level"] == json.Number("16") && slices.Contains(cred.Lacks, RightHighUrgency) {
		p.wrong(join(path, "notify_level"), "16 without the right to it", oppoCategory)
	}
	return c.blame(p.values)
}

// deliver counts the messages that reach a phone, and returns what is said of
// each: "" is success. One that a phone had under the same app_message_id is a
// success that delivers nothing.
func (o *oppoPlayer) deliver(c *call) []string {
	b := c.parsed.(*oppoForm)
	codes, failed := make([]string, len(c.tokens)), 0
	c.weigh()
	for i, token := range c.tokens {
		t := &b.targets[i]
		switch {
		case c.batch.dead[i]:
			codes[i] = oppoInvalid
		case bytes.HasPrefix(token, []byte("off-")):
			codes[i] = oppoSilenced
		case t.id != "" && !o.delivered.first(c.batch.hashes[i], c.app+" "+t.id):
			c.swallow(i)
			continue
		case t.public && !o.day.take(c.app+" messages", c.now, o.DayMessages):
			codes[i] = "33"
		default:
			continue
		}
		c.batch.reject(i)
		failed++
	}
	c.acceptBut(failed)
	ask := make([]asked, len(b.targets))
	for i, t := range b.targets {
		ask[i] = oppoAsked(t.notification)
	}
	c.owe(ask...)
	return codes
}

// buckets lists the tokens of a broadcast that failed, by code.
func (o *oppoPlayer) buckets(data map[string]any, codes []string, tokens [][]byte) {
	lists := map[string][]string{}
	for i, code := range codes {
		if code != "" {
			lists[code] = append(lists[code], string(tokens[i]))
		}
	}
	for code, list := range lists {
		data[code] = list
		if o.TextBuckets {
			data[code] = strings.Join(list, ";")
		}
	}
}
