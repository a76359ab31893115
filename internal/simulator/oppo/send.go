package oppo

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/postrider/postrider/internal/simulator/play"
)

const (
	maxTokens    = 1000
	codeInvalid  = "10000"
	codeSilenced = "10001"
)

// requestForm is a decoded POST.
type requestForm struct {
	form    url.Values
	broken  bool // not a form
	targets []messageTarget
	notList bool // messages is not a JSON array of objects
}

// messageTarget is one message to one device.
type messageTarget struct {
	members      map[string]json.RawMessage
	notification map[string]any
	id           string // app_message_id
	public       bool   // it counts against the quota of the day
}

// openForm finds the app by its access token.
func (o *player) openForm(c *play.Call) {
	form, err := url.ParseQuery(string(c.Body))
	b := &requestForm{form: form, broken: err != nil}
	token := form.Get("auth_token")
	if token == "" {
		token = c.Request.Header.Get("auth_token")
	}
	c.App, _ = c.CheckAccess(token)
	c.Parsed = b
}

func (o *player) openUnicast(c *play.Call) {
	o.openForm(c)
	b := c.Parsed.(*requestForm)
	b.read(c, "["+b.form.Get("message")+"]")
}

func (o *player) openBatch(c *play.Call) {
	o.openForm(c)
	b := c.Parsed.(*requestForm)
	b.read(c, b.form.Get("messages"))
}

// read decodes the targets and their tokens from a JSON array.
func (b *requestForm) read(c *play.Call, messages string) {
	var list []map[string]json.RawMessage
	b.notList = json.Unmarshal([]byte(messages), &list) != nil || list == nil || slices.ContainsFunc(list, func(m map[string]json.RawMessage) bool { return m == nil })
	if b.notList {
		return
	}
	b.targets = make([]messageTarget, len(list))
	for i, members := range list {
		var token string
		if json.Unmarshal(members["target_value"], &token) != nil {
			token = ""
		}
		b.targets[i].members = members
		c.Tokens = append(c.Tokens, []byte(token))
	}
}

func (o *player) openBroadcast(c *play.Call) {
	o.openForm(c)
	if ids := c.Parsed.(*requestForm).form.Get("target_value"); ids != "" {
		c.Tokens = append(c.Tokens[:0], bytes.Split([]byte(ids), []byte{';'})...)
	}
}

// admit checks everything but the message. fields are the allowed form fields; none
// means any.
func (o *player) admit(c *play.Call, fields ...string) string {
	b := c.Parsed.(*requestForm)
	if code := o.checkPost(c); code != "" {
		return code
	}
	if b.broken {
		c.Violate("the body is not a form in UTF-8")
		return "25"
	}
	if code := o.authorize(c, b.form.Get("auth_token")); code != "" {
		return code
	}
	if cred, _ := c.AppByID(c.App); slices.Contains(cred.Lacks, play.RightPush) {
		return "30"
	}
	if len(c.Tokens) > 0 && c.OverRate(len(c.Tokens)) {
		return codeTooFast
	}
	if len(fields) > 0 {
		for _, name := range unlistedKeys(b.form, append(fields, "auth_token", "sdk_version")...) {
			c.Violate(name + ": is not a field of the vendor's")
		}
	}
	return ""
}

func (o *player) unicast(c *play.Call) play.Answer {
	code := o.admit(c, "message")
	if code == "" {
		code = o.checkTargets(c, "message", 1)
	}
	if code != "" {
		return o.envelope(c, code)
	}
	if code := o.deliver(c)[0]; code != "" {
		return o.envelope(c, code)
	}
	return o.unicastDone(c)
}

func (o *player) unicastDone(c *play.Call) play.Answer {
	return o.say("0", "", map[string]any{"messageId": c.App + "-1-1-" + newID(c)})
}

func (o *player) batch(c *play.Call) play.Answer {
	code := o.admit(c, "messages")
	if code == "" {
		code = o.checkTargets(c, "messages", maxTokens)
	}
	if code != "" {
		return o.envelope(c, code)
	}
	return o.items(c, o.deliver(c))
}

func (o *player) batchDone(c *play.Call) play.Answer {
	return o.items(c, make([]string, len(c.Tokens)))
}

// batchItem is the answer for one message of a batch. In newer documents a failed
// one has a messageId too.
type batchItem struct {
	MessageID      string      `json:"messageId"`
	RegistrationID string      `json:"registrationId"`
	ErrorCode      json.Number `json:"errorCode,omitempty"`
	ErrorMessage   string      `json:"errorMessage,omitempty"`
}

func (o *player) items(c *play.Call, codes []string) play.Answer {
	list := make([]batchItem, len(codes))
	for i, code := range codes {
		list[i] = batchItem{newID(c), string(c.Tokens[i]), json.Number(code), codeTexts[code]}
	}
	if o.Shuffled {
		slices.Reverse(list)
	}
	return o.say("0", "", list)
}

// checkTargets checks the targets of a unicast or a batch.
func (o *player) checkTargets(c *play.Call, name string, most int) string {
	b := c.Parsed.(*requestForm)
	switch n := len(b.targets); {
	case b.form.Get(name) == "":
		c.Violate(name + ": is missing")
		return codeMissing
	case b.notList:
		c.Violate(name + ": is not JSON of the right type")
		return codeIllegal
	case n == 0 || n > most:
		c.Violatef("%s: %d targets, not 1 to %d", name, n, most)
		return codeIllegal
	}
	var last *messageTarget
	for i := range b.targets {
		path := name
		if most > 1 {
			path += "[" + strconv.Itoa(i) + "]"
		}
		if code := o.checkTarget(c, path, i, last); code != "" {
			return code
		}
		last = &b.targets[i]
	}
	return ""
}

// checkTarget checks one target. A notification that is the same as the last one is
// not checked again.
func (o *player) checkTarget(c *play.Call, path string, i int, last *messageTarget) string {
	t := &c.Parsed.(*requestForm).targets[i]
	p := &play.Probe{ShapeCode: codeIllegal}
	for name, check := range targetFields {
		if raw, ok := t.members[name]; ok {
			v, _ := jsonValue(string(raw)) // it was JSON before
			check(p, play.JoinPath(path, name), v)
		}
	}
	for name := range t.members {
		if _, known := targetFields[name]; !known && name != "notification" {
			p.Wrong(play.JoinPath(path, name), "is not a field of the vendor's", "")
		}
	}
	if code := c.RecordFindings(append(p.Shape, p.Values...)); code != "" {
		return code
	}
	if code := checkReceiver(c, path, t.members, c.Tokens[i]); code != "" {
		return code
	}
	if last != nil && bytes.Equal(last.members["notification"], t.members["notification"]) {
		t.notification, t.id, t.public = last.notification, last.id, last.public
		return ""
	}
	return o.checkNotification(c, play.JoinPath(path, "notification"), t)
}

var targetFields = map[string]play.Check{
	"target_type":            play.Integer(1, 6, codeIllegal),
	"target_value":           play.Text(0, ""),
	"verify_registration_id": play.Boolean,
}

// checkReceiver checks that a target is exactly one registration id.
func checkReceiver(c *play.Call, path string, members map[string]json.RawMessage, token []byte) string {
	switch {
	case members["target_type"] == nil || members["target_value"] == nil || members["notification"] == nil:
		c.Violate(path + ": target_type, target_value or notification is missing")
		return codeMissing
	case string(members["target_type"]) != "2":
		c.Violate(play.JoinPath(path, "target_type") + ": only 2, registration ids, is supported here")
		return codeIllegal
	case len(token) == 0 || bytes.ContainsAny(token, ";, "):
		c.Violate(play.JoinPath(path, "target_value") + ": is not one registration id")
		return codeIllegal
	}
	return ""
}

func (o *player) checkNotification(c *play.Call, path string, t *messageTarget) string {
	n, err := play.DecodeObject(t.members["notification"])
	if err != nil {
		c.Violate(path + ": is not an object")
		return codeIllegal
	}
	t.notification = n
	t.id, _ = n["app_message_id"].(string)
	category, _ := n["category"].(string)
	t.public = !slices.Contains(serviceCategories, category)
	return o.checkMessage(c, path, n, notificationFields)
}

func (o *player) checkMessage(c *play.Call, path string, n map[string]any, shape play.Check) string {
	p := &play.Probe{ShapeCode: codeIllegal}
	shape(p, path, n)
	if code := c.RecordFindings(p.Shape); code != "" {
		return code
	}
	checkMeaning(p, path, n)
	if cred, _ := c.AppByID(c.App); n["notify_level"] == json.Number("16") && slices.Contains(cred.Lacks, play.RightHighUrgency) {
		p.Wrong(play.JoinPath(path, "notify_level"), "16 without the right to it", codeCategory)
	}
	return c.RecordFindings(p.Values)
}

// deliver accepts the messages that reach a device, and returns a code for each:
// "" is success. A message with the same app_message_id as an earlier one to the
// same token is a success that delivers nothing.
func (o *player) deliver(c *play.Call) []string {
	b := c.Parsed.(*requestForm)
	codes, failed := make([]string, len(c.Tokens)), 0
	c.FindInvalid()
	for i, token := range c.Tokens {
		t := &b.targets[i]
		switch {
		case c.Rejected(i):
			codes[i] = codeInvalid
		case bytes.HasPrefix(token, []byte("off-")):
			codes[i] = codeSilenced
		case t.id != "" && !o.delivered.First(c.Hash(i), c.App+" "+t.id):
			c.Swallow(i)
			continue
		case t.public && !o.day.Take(c.App+" messages", c.Now, o.DayMessages):
			codes[i] = "33"
		default:
			continue
		}
		c.Reject(i)
		failed++
	}
	c.AcceptExcept(failed)
	requests := make([]play.ReceiptRequest, len(b.targets))
	for i, t := range b.targets {
		requests[i] = receiptRequest(t.notification)
	}
	c.SendReceipts(requests...)
	return codes
}

// buckets lists the failed tokens of a broadcast by code.
func (o *player) buckets(data map[string]any, codes []string, tokens [][]byte) {
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
