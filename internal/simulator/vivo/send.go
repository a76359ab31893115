package vivo

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

const (
	minTokens = 2
	maxTokens = 1000
)

// sendBody is a decoded request to send, saveListPayload or pushToList.
type sendBody struct {
	root   map[string]any
	regIDs []any
	broken bool // not a JSON object
}

// openSend finds the app and the tokens of send, saveListPayload and pushToList.
func (v *player) openSend(c *play.Call) {
	root, err := play.DecodeObject(c.Body)
	b := sendBody{root: root, broken: err != nil}
	b.regIDs, _ = root["regIds"].([]any)
	for _, id := range b.regIDs {
		s, _ := id.(string)
		c.Tokens = append(c.Tokens, []byte(s))
	}
	if id, ok := root["regId"].(string); ok && c.EndpointName() == "send" {
		c.Tokens = append(c.Tokens, []byte(id))
	}
	c.App, _ = c.CheckAccess(headerToken(c))
	c.Parsed = b
}

func headerToken(c *play.Call) string { return c.Request.Header.Get("authToken") }

// admit checks everything but the message.
func (v *player) admit(c *play.Call) (a play.Answer, refused bool) {
	if a, refused := v.checkPost(c); refused {
		return a, true
	}
	b := c.Parsed.(sendBody)
	if code := v.authorize(c); code != "" {
		return v.envelope(c, code), true
	}
	if b.broken {
		c.Violate("the body is not a JSON object")
		return brokenServer(), true
	}
	cred, _ := c.AppByID(c.App)
	switch id := digits(b.root["appId"]); {
	case id == "":
		c.Violate("appId: is missing")
		return v.envelope(c, "10094"), true
	case id != c.App && !c.AnyCredentials():
		c.Violate("appId: is not the access token's")
		return v.envelope(c, "10094"), true
	case slices.Contains(cred.Lacks, play.RightPush):
		return v.envelope(c, "10045"), true
	case len(c.Tokens) > 0 && c.OverRate(len(c.Tokens)):
		return v.envelope(c, "10072"), true
	}
	return play.Answer{}, false
}

// authorize finds the app by its access token, which is only in a header.
func (v *player) authorize(c *play.Call) string {
	app, state := c.CheckAccess(headerToken(c))
	c.App = app
	switch state {
	case play.AccessValid:
		return ""
	case play.AccessExpired, play.AccessRevoked:
		return "10000"
	case play.AccessUnknown:
		if c.AnyCredentials() && headerToken(c) != "" {
			c.App = digits(c.Parsed.(sendBody).root["appId"])
			return ""
		}
		c.Violate("the authToken is missing or was never issued")
	}
	return "10000"
}

// check checks a message.
func (v *player) check(c *play.Call, shape play.Check, life ttlBounds) string {
	root := c.Parsed.(sendBody).root
	p := &play.Findings{TypeCode: "10102"}
	shape(p, "", root)
	if code := c.RecordFindings(p.Types); code != "" {
		return code
	}
	v.meaning(p, root, life)
	return c.RecordFindings(p.Values)
}

// send is one message to one device.
func (v *player) send(c *play.Call) play.Answer {
	if a, refused := v.admit(c); refused {
		return a
	}
	if len(c.Tokens) == 0 || len(c.Tokens[0]) == 0 {
		c.Violate("regId: is missing")
		return v.envelope(c, "10050")
	}
	if code := v.check(c, sendFields, ttlBounds{60, 86400}); code != "" {
		return v.envelope(c, code)
	}
	root := c.Parsed.(sendBody).root
	id, _ := root["requestId"].(string)
	content := play.ContentHash(string(c.Tokens[0]), root["title"], root["content"])
	if task, again := v.again(c, id, content); again {
		c.CountSwallowed(1)
		return reply{Result: "0", TaskID: task}.answer() // nothing is delivered
	}
	m := v.message(c, root)
	if code := v.quota(c, m); code != "" {
		return v.envelope(c, code)
	}
	return v.sendOne(c, m, id)
}

func (v *player) sendOne(c *play.Call, m play.StoredMessage, requestID string) play.Answer {
	if bytes.HasPrefix(c.Tokens[0], []byte("off-")) {
		return v.envelope(c, "10311")
	}
	users := v.deliver(c, m)
	if len(users) == 0 {
		v.remember(c, requestID, m.ID, play.ContentHash(string(c.Tokens[0]), c.Parsed.(sendBody).root["title"], c.Parsed.(sendBody).root["content"]))
		return reply{Result: "0", TaskID: m.ID}.answer()
	}
	a := reply{Result: "10302", Invalid: &users[0]}
	if v.InvalidSucceeds {
		a.Result, a.TaskID = "0", m.ID
	}
	return a.answer()
}

// message is what has to be remembered of a message.
func (v *player) message(c *play.Call, root map[string]any) play.StoredMessage {
	m := play.StoredMessage{ID: newTaskID(c), App: c.App, Content: play.ContentHash(root["title"], root["content"]), Bucket: "operational", Test: root["pushMode"] == json.Number("1")}
	m.Receipt = play.CallbackIn(play.Inside(root, "extra"))
	if isSystem(root) {
		m.Bucket = "system"
	}
	life := 24 * time.Hour
	if n, ok := root["timeToLive"].(json.Number); ok {
		seconds, _ := n.Int64() // it was checked
		life = time.Duration(seconds) * time.Second
	}
	m.Expires = c.Now.Add(life)
	return m
}

// quota returns the code that refuses a message of this classification at this
// time. Test messages are not counted.
func (v *player) quota(c *play.Call, m play.StoredMessage) string {
	hour := play.HourInBeijing(c.Now)
	used := v.day.Used(c.App+" "+m.Bucket, c.Now)
	cred, _ := c.AppByID(c.App)
	system := m.Bucket == "system"
	switch {
	case system && slices.Contains(cred.Lacks, RightSystem):
		return "10082"
	case m.Test:
		return ""
	case system && v.DaySystem > 0 && used >= v.DaySystem:
		return "10073"
	case !system && v.Hours && (hour < 7 || hour >= 23):
		return "10071"
	}
	return ""
}

// RightSystem is the right to vivo's system messages.
const RightSystem = "system-messages"

// deliver accepts the tokens that can be reached, and returns the others.
func (v *player) deliver(c *play.Call, m play.StoredMessage) []invalidUser {
	var users []invalidUser
	c.FindInvalid()
	for i, t := range c.Tokens {
		if status := tokenStatus(string(t), c.Rejected(i), m.Test); status != 0 {
			users = append(users, invalidUser{status, string(t)})
			c.Reject(i)
		}
	}
	c.Accept()
	if !m.Test {
		c.SendReceipts(m.Receipt)
		v.day.Add(c.App+" "+m.Bucket, c.Now, len(c.Tokens)-len(users))
	}
	return users
}

// tokenStatus is 0 for a token that can be reached, 1 for one that is not the app's,
// 2 uninstalled, 3 removed, 4 not a test device; the token's prefix decides. Test
// messages reach tokens that begin with "test-".
func tokenStatus(token string, invalid, test bool) int {
	switch {
	case invalid:
		return 1
	case strings.HasPrefix(token, "gone-"):
		return 2
	case strings.HasPrefix(token, "removed-"):
		return 3
	case test && !strings.HasPrefix(token, "test-"), strings.HasPrefix(token, "strange-"):
		return 4
	}
	return 0
}
