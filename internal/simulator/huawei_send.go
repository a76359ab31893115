package simulator

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

const (
	huaweiMostTokens = 1000
	huaweiMostBytes  = 4096 // of the message without its tokens
)

// huaweiBody is a send as the scanner sees it.
type huaweiBody struct {
	message, token span
	broken         bool // not JSON as far as the scanner looked
	notTexts       bool // token is no array of strings
}

// openSend finds the app by the path and the tokens by scanning.
func (h huaweiPlayer) openSend(c *call) {
	if cred, ok := huaweiApp(c); ok {
		c.app = cred.App
	}
	var b huaweiBody
	_, err := members(c.body, 0, func(key []byte, i int) (int, error) {
		if string(key) != "message" {
			return skip(c.body, i)
		}
		end, err := b.scanMessage(c, i)
		b.message = span{i, end}
		return end, err
	})
	b.broken = err != nil
	c.parsed = b
}

func (b *huaweiBody) scanMessage(c *call, i int) (int, error) {
	b.token, b.notTexts = span{}, false // of two members with one name the last counts
	c.tokens = c.tokens[:0]
	if i == len(c.body) || c.body[i] != '{' {
		return skip(c.body, i)
	}
	return members(c.body, i, func(key []byte, i int) (int, error) {
		if string(key) != "token" {
			return skip(c.body, i)
		}
		end, err := b.scanTokens(c, i)
		b.token = span{i, end}
		return end, err
	})
}

func (b *huaweiBody) scanTokens(c *call, i int) (end int, err error) {
	c.tokens, end, err = texts(c.body, i, c.tokens[:0])
	if b.notTexts = err != nil; b.notTexts {
		return skip(c.body, i)
	}
	return end, nil
}

func huaweiApp(c *call) (Credential, bool) {
	if id := c.r.PathValue("client"); id != "" {
		return c.p.apps.client(id)
	}
	return c.p.apps.project(c.r.PathValue("project"))
}

func (h huaweiPlayer) send(c *call) answer {
	b := c.parsed.(huaweiBody)
	cred, ok := huaweiApp(c)
	switch {
	case !ok:
		c.violate("the path names an app that does not exist")
		return answer{status: http.StatusNotFound}
	case c.r.Method != http.MethodPost:
		c.violate("method is " + c.r.Method + ", not POST")
		return answer{status: http.StatusMethodNotAllowed}
	}
	if code := h.authorize(c, cred); code != "" {
		return h.envelope(c, code)
	}
	if c.limited(len(c.tokens)) {
		return h.overloaded()
	}
	root, code := h.shape(c, b)
	if code == "" {
		code = h.check(c, b, cred, root)
	}
	if code != "" {
		return h.envelope(c, code)
	}
	return h.push(c, root)
}

// authorize returns the code that refuses the caller, if any. An access token
// that was never issued counts as expired: that is how the vendor's FAQ
// explains 80200003 for tokens with characters too many or too few.
func (h huaweiPlayer) authorize(c *call, cred Credential) string {
	token, ok := strings.CutPrefix(c.r.Header.Get("Authorization"), "Bearer ")
	if !ok || token == "" {
		c.violate("no Authorization: Bearer header")
		return "80200001"
	}
	app, standing := c.sim.auth.check(c.p.name, token, c.now)
	switch standing {
	case valid:
		if app != cred.App && !c.p.apps.any {
			c.violate("the access token is another app's")
			return "80200001"
		}
		return ""
	case revoked:
		return "80200001"
	case expired:
		return "80200003"
	case unknown:
		if c.p.apps.any {
			return ""
		}
		c.violate("the access token was never issued")
		return "80200003"
	}
	return "80200001"
}

// shape decodes what is left of the body without its tokens and checks its
// structure.
func (h huaweiPlayer) shape(c *call, b huaweiBody) (root map[string]any, code string) {
	if !c.contentType("application/json") {
		c.violate("the content type is not application/json")
		return nil, "80100003"
	}
	root, err := decodeWithout(c.body, b.token)
	switch {
	case b.broken || err != nil:
		c.violate("the body is not a JSON object")
		return nil, "80100003"
	case b.message.empty():
		c.violate("no message")
		return nil, "80300010"
	case b.notTexts:
		c.violate("message.token is not an array of strings")
		return nil, "80100003"
	}
	for _, name := range slices.Sorted(maps.Keys(root)) {
		if name != "message" && name != "validate_only" && name != "review" {
			c.violate(name + ": is no field of the vendor's")
			return nil, "80100003"
		}
	}
	return root, ""
}

// decodeWithout decodes a body as if the array at tokens were empty.
func decodeWithout(body []byte, tokens span) (map[string]any, error) {
	parts := io.Reader(bytes.NewReader(body))
	if !tokens.empty() {
		parts = io.MultiReader(bytes.NewReader(body[:tokens.start]), strings.NewReader("[]"), bytes.NewReader(body[tokens.end:]))
	}
	dec := json.NewDecoder(parts)
	dec.UseNumber()
	var root map[string]any
	if err := dec.Decode(&root); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF || root == nil {
		return nil, errJSON
	}
	return root, nil
}

// check judges a well-formed body, from its numbers to its words.
func (h huaweiPlayer) check(c *call, b huaweiBody, cred Credential, root map[string]any) string {
	p := &probe{shapeCode: "80100003"}
	huaweiRoot(p, "", root)
	if len(p.shape) > 0 {
		return c.blame(p.shape)
	}
	message := inside(root, "message")
	if code := h.targets(c, message); code != "" {
		return code
	}
	if n := b.size(); n > huaweiMostBytes {
		c.violatef("the message without its tokens has %d bytes, more than %d", n, huaweiMostBytes)
		return "80300008"
	}
	if code := h.rights(c, cred, message); code != "" {
		return code
	}
	huaweiMeaning(p, message)
	return c.blame(p.values)
}

// size is the length of the message without the member token, in bytes.
func (b huaweiBody) size() int {
	n := b.message.end - b.message.start
	if b.token.empty() {
		return n
	}
	return n - (b.token.end - b.token.start) - len(`"token":,`)
}

func (h huaweiPlayer) targets(c *call, message map[string]any) string {
	kinds := 0
	for _, kind := range []string{"token", "topic", "condition"} {
		if _, ok := message[kind]; ok {
			kinds++
		}
	}
	_, tokens := message["token"]
	switch {
	case kinds > 1:
		c.violate("message: token, topic and condition exclude each other")
		return "80100001"
	case kinds == 0, tokens && (len(c.tokens) == 0 || len(c.tokens) > huaweiMostTokens):
		c.violatef("message.token: %d tokens, not 1 to %d", len(c.tokens), huaweiMostTokens)
		return "80300010"
	}
	for i, t := range c.tokens {
		if len(t) == 0 {
			c.violatef("message.token[%d]: is empty", i)
			return "80100001"
		}
	}
	return ""
}

func (h huaweiPlayer) rights(c *call, cred Credential, message map[string]any) string {
	urgency, _ := inside(message, "android")["urgency"].(string)
	switch {
	case slices.Contains(cred.Lacks, RightPush):
		return "80300002"
	case urgency == "HIGH" && slices.Contains(cred.Lacks, RightHighUrgency):
		c.violate("message.android.urgency: HIGH without the right to it")
		return "80300011"
	}
	return ""
}

// push counts the valid tokens, unless the client only wants its message
// checked, and lists the others.
func (h huaweiPlayer) push(c *call, root map[string]any) answer {
	invalid := c.weigh()
	if n := c.batch.twins(); n > 0 {
		c.violatef("message.token: %d tokens stand there twice: their users get the message twice", n)
	}
	if only, _ := root["validate_only"].(bool); !only {
		c.accept()
		tag, _ := inside(root, "message", "android")["bi_tag"].(string)
		c.owe(asked{tag: tag})
	}
	switch {
	case len(invalid) == 0:
		return h.success(c)
	case len(invalid) == len(c.tokens):
		return h.envelope(c, "80300007")
	}
	return h.say(c, "80100000", huaweiPartial(len(c.tokens)-len(invalid), invalid))
}

func huaweiPartial(success int, invalid [][]byte) string {
	list := make([]string, len(invalid))
	for i, t := range invalid {
		list[i] = string(t)
	}
	text, _ := json.Marshal(struct { // strings and numbers always marshal
		Success int      `json:"success"`
		Failure int      `json:"failure"`
		Illegal []string `json:"illegal_tokens"`
	}{success, len(invalid), list})
	return string(text)
}
