package oppo

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"

	"github.com/postrider/postrider/internal/simulator/play"
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
