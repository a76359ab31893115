package simulator

import (
	"bytes"
	"fmt"
	"slices"
)

// save lays a message up. Its app_message_id is stored once.
func (o *oppoPlayer) save(c *call) answer {
	if code := o.door(c); code != "" {
		return o.envelope(c, code)
	}
	b := c.parsed.(*oppoForm)
	for name, values := range b.form {
		if len(values) > 1 {
			c.violate(name + ": stands there twice")
		}
	}
	b.form.Del("auth_token")
	b.form.Del("sdk_version")
	n := typed(b.form)
	if code := o.judgeMessage(c, "", n, oppoSaved); code != "" {
		return o.envelope(c, code)
	}
	if category, _ := n["category"].(string); slices.Contains(oppoService, category) {
		c.violate("category: messages of the private channel go to single users only")
	}
	return o.keep(c, n)
}

func (o *oppoPlayer) keep(c *call, n map[string]any) answer {
	dedup, _ := n["app_message_id"].(string)
	m := laidUp{id: c.vendorID(), app: c.app, content: contentOf(n["title"], n["content"]), expires: c.now.Add(o.savedLife()), asked: oppoAsked(n)}
	kept, twice := o.shelf.put(m, dedup, c.now)
	switch {
	case twice && kept.content != m.content:
		c.violate("app_message_id: was used for another message")
		return o.envelope(c, "32")
	case twice && o.SavedTwice:
		return o.envelope(c, "32")
	case !twice && !o.day.take(c.app+" saves", c.now, o.DaySaves):
		return o.envelope(c, "42")
	}
	return o.say("0", "success", map[string]any{"message_id": kept.id})
}

func (o *oppoPlayer) saveDone(c *call) answer {
	return o.say("0", "success", map[string]any{"message_id": c.vendorID()})
}

// broadcast sends a message that was laid up. Sent twice, it is delivered twice.
func (o *oppoPlayer) broadcast(c *call) answer {
	if code := o.door(c, "message_id", "target_type", "target_value"); code != "" {
		return o.envelope(c, code)
	}
	form := c.parsed.(*oppoForm).form
	if code := o.receivers(c, form.Get("target_type")); code != "" {
		return o.envelope(c, code)
	}
	id := form.Get("message_id")
	if id == "" {
		c.violate("message_id: is missing")
		return o.envelope(c, oppoMissing)
	}
	m, ok := o.shelf.find(id, c.app, c.now)
	if !ok {
		return o.envelope(c, "31")
	}
	c.asked = m.asked
	if used := o.day.of(c.app+" messages", c.now); o.DayMessages > 0 && used >= o.DayMessages {
		return o.envelope(c, "33")
	}
	return o.spread(c, id)
}

func (o *oppoPlayer) receivers(c *call, kind string) string {
	switch n := len(c.tokens); {
	case kind == "":
		c.violate("target_type: is missing")
		return oppoMissing
	case kind != "2":
		c.violate("target_type: only registration ids, which are 2, are played here")
		return oppoIllegal
	case n == 0:
		c.violate("target_value: is missing")
		return oppoMissing
	case n > oppoMost:
		c.violatef("target_value: %d registration ids, more than %d", n, oppoMost)
		return oppoIllegal
	}
	for i, t := range c.tokens {
		if len(t) == 0 || bytes.ContainsAny(t, ", ") {
			c.violatef("target_value: number %d is not one registration id", i+1)
			return oppoIllegal
		}
	}
	return ""
}

// spread counts the tokens that are reached, and lists the others by code.
func (o *oppoPlayer) spread(c *call, id string) answer {
	codes, failed := make([]string, len(c.tokens)), 0
	c.weigh()
	for i, token := range c.tokens {
		switch {
		case c.batch.dead[i]:
			codes[i] = oppoInvalid
		case bytes.HasPrefix(token, []byte("off-")):
			codes[i] = oppoSilenced
		default:
			continue
		}
		c.batch.reject(i)
		failed++
	}
	if n := c.batch.twins(); n > 0 {
		c.violatef("target_value: %d registration ids stand there twice: their users get the message twice", n)
	}
	o.day.add(c.app+" messages", c.now, c.acceptBut(failed))
	c.owe(c.asked)
	if o.AllInvalidAtTop && !slices.ContainsFunc(codes, func(code string) bool { return code != oppoInvalid }) {
		return o.envelope(c, oppoInvalid)
	}
	data := map[string]any{"message_id": id, "task_id": c.vendorID(), "status": "call_success"}
	o.buckets(data, codes, c.tokens)
	return o.say("0", "", data)
}

func (o *oppoPlayer) broadcastDone(c *call) answer {
	return o.say("0", "", map[string]any{"message_id": fmt.Sprintf("%024x", 1), "task_id": c.vendorID()})
}
