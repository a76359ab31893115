package huawei

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/postrider/postrider/internal/simulator/play"
)

const (
	maxTokens = 1000
	maxBytes  = 4096 // of the message without its tokens
)

func appOf(c *play.Call) (play.Credential, bool) {
	if id := c.Request.PathValue("client"); id != "" {
		return c.AppByClient(id)
	}
	return c.AppByProject(c.Request.PathValue("project"))
}

func (h player) send(c *play.Call) play.Answer {
	b := c.Parsed.(sendBody)
	cred, ok := appOf(c)
	switch {
	case !ok:
		c.Violate("the path names an app that does not exist")
		return play.Answer{Status: http.StatusNotFound}
	case !c.HasMethod(http.MethodPost):
		return play.Answer{Status: http.StatusMethodNotAllowed}
	}
	if code := h.authorize(c, cred); code != "" {
		return h.envelope(c, code)
	}
	if c.OverRate(len(c.Tokens)) {
		return play.Overloaded()
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
// that was never issued counts as expired: the vendor's FAQ explains 80200003 in
// this way for tokens with missing or additional characters.
func (h player) authorize(c *play.Call, cred play.Credential) string {
	token := c.Bearer()
	if token == "" {
		return "80200001"
	}
	app, state := c.CheckAccess(token)
	switch state {
	case play.AccessValid:
		if app != cred.App && !c.AnyCredentials() {
			c.Violate("the access token is another app's")
			return "80200001"
		}
		return ""
	case play.AccessRevoked:
		return "80200001"
	case play.AccessExpired:
		return "80200003"
	case play.AccessUnknown:
		if c.AnyCredentials() {
			return ""
		}
		c.Violate("the access token was never issued")
		return "80200003"
	}
	return "80200001"
}

// shape decodes the body without its tokens and checks its structure.
func (h player) shape(c *play.Call, b sendBody) (root map[string]any, code string) {
	if !c.HasContentType("application/json") {
		c.Violate("the content type is not application/json")
		return nil, "80100003"
	}
	root, err := play.DecodeWithout(c.Body, b.token)
	switch {
	case b.broken || err != nil:
		c.Violate("the body is not a JSON object")
		return nil, "80100003"
	case b.message.Empty():
		c.Violate("no message")
		return nil, "80300010"
	case b.notStrings:
		c.Violate("message.token is not an array of strings")
		return nil, "80100003"
	}
	for _, name := range slices.Sorted(maps.Keys(root)) {
		if name != "message" && name != "validate_only" && name != "review" {
			c.Violate(name + ": is not one of the vendor's fields")
			return nil, "80100003"
		}
	}
	return root, ""
}

// check checks a well-formed body: types, numbers of tokens and bytes, rights,
// values.
func (h player) check(c *play.Call, b sendBody, cred play.Credential, root map[string]any) string {
	p := &play.Findings{TypeCode: "80100003"}
	rootFields(p, "", root)
	if len(p.Types) > 0 {
		return c.RecordFindings(p.Types)
	}
	message := play.Inside(root, "message")
	if code := h.targets(c, message); code != "" {
		return code
	}
	if n := b.size(); n > maxBytes {
		c.Violatef("the message without its tokens has %d bytes, more than %d", n, maxBytes)
		return "80300008"
	}
	if code := h.rights(c, cred, message); code != "" {
		return code
	}
	checkMeaning(p, message)
	return c.RecordFindings(p.Values)
}

func (h player) targets(c *play.Call, message map[string]any) string {
	kinds := 0
	for _, kind := range []string{"token", "topic", "condition"} {
		if _, ok := message[kind]; ok {
			kinds++
		}
	}
	_, tokens := message["token"]
	switch {
	case kinds > 1:
		c.Violate("message: only one of token, topic and condition is allowed")
		return "80100001"
	case kinds == 0, tokens && (len(c.Tokens) == 0 || len(c.Tokens) > maxTokens):
		c.Violatef("message.token: %d tokens, not 1 to %d", len(c.Tokens), maxTokens)
		return "80300010"
	}
	if i := c.EmptyToken(); i >= 0 {
		c.Violatef("message.token[%d]: is empty", i)
		return "80100001"
	}
	return ""
}

func (h player) rights(c *play.Call, cred play.Credential, message map[string]any) string {
	urgency, _ := play.Inside(message, "android")["urgency"].(string)
	switch {
	case slices.Contains(cred.Lacks, play.RightPush):
		return "80300002"
	case urgency == "HIGH" && slices.Contains(cred.Lacks, play.RightHighUrgency):
		c.Violate("message.android.urgency: HIGH without the right to it")
		return "80300011"
	}
	return ""
}

// push accepts the valid tokens, unless the client only wants its message checked,
// and lists the others.
func (h player) push(c *play.Call, root map[string]any) play.Answer {
	invalid := c.FindInvalid()
	if n := c.Duplicates(); n > 0 {
		c.Violatef("message.token: %d tokens are there twice: their users get the message twice", n)
	}
	if only, _ := root["validate_only"].(bool); !only {
		c.Accept()
		tag, _ := play.Inside(root, "message", "android")["bi_tag"].(string)
		c.SendReceipts(play.ReceiptRequest{Tag: tag})
	}
	switch {
	case len(invalid) == 0:
		return h.success(c)
	case len(invalid) == len(c.Tokens):
		return h.envelope(c, "80300007")
	}
	return h.say(c, "80100000", partialText(len(c.Tokens)-len(invalid), invalid))
}

// partialText is the text of a partial success.
func partialText(success int, invalid [][]byte) string {
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
