package oppo

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/postrider/postrider/internal/simulator/play"
)

// save stores a message.
func (o *player) save(c *play.Call) play.Answer {
	if code := o.admit(c); code != "" {
		return o.envelope(c, code)
	}
	b := c.Parsed.(*requestForm)
	for name, values := range b.form {
		if len(values) > 1 {
			c.Violate(name + ": is there twice")
		}
	}
	b.form.Del("auth_token")
	b.form.Del("sdk_version")
	n := typed(b.form)
	if code := o.checkMessage(c, "", n, savedFields); code != "" {
		return o.envelope(c, code)
	}
	if category, _ := n["category"].(string); slices.Contains(serviceCategories, category) {
		c.Violate("category: messages of the private channel are for single users only")
	}
	return o.keep(c, n)
}

// keep stores a message unless there is one with the same app_message_id: then it
// answers with the message_id of that one.
func (o *player) keep(c *play.Call, n map[string]any) play.Answer {
	key, _ := n["app_message_id"].(string)
	m := play.StoredMessage{ID: newID(c), App: c.App, Content: play.ContentHash(n["title"], n["content"]), Expires: c.Now.Add(o.savedLife()), Receipt: receiptRequest(n)}
	kept, again := o.saved.Save(m, key, c.Now)
	switch {
	case again && kept.Content != m.Content:
		c.Violate("app_message_id: was used for another message")
		return o.envelope(c, "32")
	case !again && !o.day.Take(c.App+" saves", c.Now, o.DaySaves):
		return o.envelope(c, "42")
	}
	return o.say("0", "success", map[string]any{"message_id": kept.ID})
}

func (o *player) saveDone(c *play.Call) play.Answer {
	return o.say("0", "success", map[string]any{"message_id": newID(c)})
}

// broadcast sends a saved message. Sent twice, it is delivered twice.
func (o *player) broadcast(c *play.Call) play.Answer {
	if code := o.admit(c, "message_id", "target_type", "target_value"); code != "" {
		return o.envelope(c, code)
	}
	form := c.Parsed.(*requestForm).form
	if code := o.receivers(c, form.Get("target_type")); code != "" {
		return o.envelope(c, code)
	}
	id := form.Get("message_id")
	if id == "" {
		c.Violate("message_id: is missing")
		return o.envelope(c, codeMissing)
	}
	m, ok := o.saved.Find(id, c.App, c.Now)
	if !ok {
		return o.envelope(c, "31")
	}
	c.Receipt = m.Receipt
	if used := o.day.Used(c.App+" messages", c.Now); o.DayMessages > 0 && used >= o.DayMessages {
		return o.envelope(c, "33")
	}
	return o.deliverSaved(c, id)
}

// receivers checks the target_type and the tokens.
func (o *player) receivers(c *play.Call, kind string) string {
	switch n := len(c.Tokens); {
	case kind == "":
		c.Violate("target_type: is missing")
		return codeMissing
	case kind != "2":
		c.Violate("target_type: only 2, registration ids, is supported here")
		return codeIllegal
	case n == 0:
		c.Violate("target_value: is missing")
		return codeMissing
	case n > maxTokens:
		c.Violatef("target_value: %d registration ids, more than %d", n, maxTokens)
		return codeIllegal
	}
	for i, t := range c.Tokens {
		if len(t) == 0 || bytes.ContainsAny(t, ", ") {
			c.Violatef("target_value: number %d is not one registration id", i+1)
			return codeIllegal
		}
	}
	return ""
}

// deliverSaved accepts the tokens that can be reached, and lists the others by code.
func (o *player) deliverSaved(c *play.Call, id string) play.Answer {
	codes, failed := make([]string, len(c.Tokens)), 0
	c.FindInvalid()
	for i, token := range c.Tokens {
		switch {
		case c.Rejected(i):
			codes[i] = codeInvalid
		case bytes.HasPrefix(token, []byte("off-")):
			codes[i] = codeSilenced
		default:
			continue
		}
		c.Reject(i)
		failed++
	}
	if n := c.Duplicates(); n > 0 {
		c.Violatef("target_value: %d registration ids are there twice: their users get the message twice", n)
	}
	o.day.Add(c.App+" messages", c.Now, c.AcceptExcept(failed))
	c.SendReceipts(c.Receipt)
	if o.AllInvalidAtTop && !slices.ContainsFunc(codes, func(code string) bool { return code != codeInvalid }) {
		return o.envelope(c, codeInvalid)
	}
	data := map[string]any{"message_id": id, "task_id": newID(c), "status": "call_success"}
	o.buckets(data, codes, c.Tokens)
	return o.say("0", "", data)
}

func (o *player) broadcastDone(c *play.Call) play.Answer {
	return o.say("0", "", map[string]any{"message_id": fmt.Sprintf("%024x", 1), "task_id": newID(c)})
}
