package xiaomi

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/postrider/postrider/internal/simulator/play"
)

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

// checkMany checks a request with many messages, but not the messages.
func (x player) checkMany(c *play.Call, b sendBody) string {
	for _, name := range slices.Sorted(maps.Keys(b.form)) {
		if name != "messages" && name != "time_to_send" {
			c.Violate(name + ": is not one of the vendor's fields")
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
	return x.checkSpaces(c, "messages.target")
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
