package oppo

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/postrider/postrider/internal/simulator/play"
)

const (
	maxTokens    = 1000
	codeInvalid  = "10000"
	codeSilenced = "10001"
)

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
			c.Violate(name + ": is not one of the vendor's fields")
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
