package vivo

import (
	"encoding/json"

	"github.com/postrider/postrider/internal/simulator/play"
)

// save stores a message for list.
func (v *player) save(c *play.Call) play.Answer {
	if a, refused := v.admit(c); refused {
		return a
	}
	if code := v.check(c, saveFields, ttlBounds{900, 604800}); code != "" {
		return v.envelope(c, code)
	}
	root := c.Parsed.(sendBody).root
	m := v.message(c, root)
	id, _ := root["requestId"].(string)
	if task, again := v.again(c, id, m.Content); again {
		return reply{Result: "0", TaskID: task}.answer()
	}
	if code := v.quota(c, m); code != "" {
		return v.envelope(c, code)
	}
	if !v.day.Take(c.App+" saves", c.Now, v.maxSaves()) {
		return v.envelope(c, codeSavesUsedUp)
	}
	v.saved.Save(m, "", c.Now)
	v.remember(c, id, m.ID, m.Content)
	return reply{Result: "0", TaskID: m.ID}.answer()
}

// list sends a saved message to 2 to 1,000 devices.
func (v *player) list(c *play.Call) play.Answer {
	if a, refused := v.admit(c); refused {
		return a
	}
	b := c.Parsed.(sendBody)
	if code := v.checkList(c, b); code != "" {
		return v.envelope(c, code)
	}
	task, _ := b.root["taskId"].(string)
	m, ok := v.saved.Find(task, c.App, c.Now)
	switch {
	case task == "":
		c.Violate("taskId: is missing")
		return v.envelope(c, "10151")
	case m.ID == "":
		return v.envelope(c, "10152")
	case !ok:
		return v.envelope(c, "10155")
	}
	if mode := b.root["pushMode"] == json.Number("1"); mode != m.Test {
		c.Violate("pushMode: is not that of the saved message")
	}
	if code := v.quota(c, m); code != "" {
		return v.envelope(c, code)
	}
	return v.sendList(c, m, b.root["requestId"].(string), play.ContentHash(task, b.regIDs))
}

// checkList checks a request to list.
func (v *player) checkList(c *play.Call, b sendBody) string {
	p := &play.Findings{TypeCode: "10102"}
	listFields(p, "", b.root)
	if code := c.RecordFindings(p.Types); code != "" {
		return code
	}
	switch n := len(c.Tokens); {
	case !play.Filled(b.root, "requestId"):
		c.Violate("requestId: is missing")
		return "10352"
	case n == 0:
		c.Violate("regIds: are missing")
		return "10150"
	case n < minTokens || n > maxTokens:
		c.Violatef("regIds: %d, not %d to %d", n, minTokens, maxTokens)
		return "10153"
	}
	return c.RecordFindings(p.Values)
}

func (v *player) sendList(c *play.Call, m play.StoredMessage, requestID string, content uint64) play.Answer {
	_, again := v.again(c, requestID, content)
	if again {
		c.CountSwallowed(len(c.Tokens))
		return v.listDone(c) // nothing is delivered
	}
	users := v.deliver(c, m)
	if n := c.Duplicates(); n > 0 {
		c.Violatef("regIds: %d are there twice: their users get the message twice", n)
	}
	if len(users) < len(c.Tokens) {
		v.remember(c, requestID, m.ID, content)
	}
	a := reply{Result: "0", Invalids: users}
	if len(users) == len(c.Tokens) && !v.AllInvalidSucceeds {
		a.Result = "10302"
		if v.AllInvalidUnnamed {
			a.Invalids = nil
		}
	}
	return a.answer()
}
