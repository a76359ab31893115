package simulator

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

const (
	vivoLeast = 2
	vivoMost  = 1000
)

// vivoBody is a request to push something.
type vivoBody struct {
	root   map[string]any
	regIDs []any
	broken bool // no JSON object
}

// openSend finds the app and the tokens of send, saveListPayload and pushToList.
func (v *vivoPlayer) openSend(c *call) {
	root, err := decodeWithout(c.body, span{})
	b := vivoBody{root: root, broken: err != nil}
	b.regIDs, _ = root["regIds"].([]any)
	for _, id := range b.regIDs {
		s, _ := id.(string)
		c.tokens = append(c.tokens, []byte(s))
	}
	if id, ok := root["regId"].(string); ok && c.e.name == "send" {
		c.tokens = append(c.tokens, []byte(id))
	}
	c.app, _ = c.sim.auth.check(c.p.name, vivoToken(c), c.now)
	c.parsed = b
}

func vivoToken(c *call) string { return c.r.Header.Get("authToken") }

// door checks whatever is not the message.
func (v *vivoPlayer) door(c *call) (a answer, refused bool) {
	if a, refused := v.formally(c); refused {
		return a, true
	}
	b := c.parsed.(vivoBody)
	if code := v.authorize(c); code != "" {
		return v.envelope(c, code), true
	}
	if b.broken {
		c.violate("the body is not a JSON object")
		return vivoBroken(), true
	}
	cred, _ := c.p.apps.app(c.app)
	switch id := vivoDigits(b.root["appId"]); {
	case id == "":
		c.violate("appId: is missing")
		return v.envelope(c, "10094"), true
	case id != c.app && !c.p.apps.any:
		c.violate("appId: is not the access token's")
		return v.envelope(c, "10094"), true
	case slices.Contains(cred.Lacks, RightPush):
		return v.envelope(c, "10045"), true
	case len(c.tokens) > 0 && c.limited(len(c.tokens)):
		return v.envelope(c, "10072"), true
	}
	return answer{}, false
}

// authorize finds the app by its access token, which stands in a header alone.
func (v *vivoPlayer) authorize(c *call) string {
	app, standing := c.sim.auth.check(c.p.name, vivoToken(c), c.now)
	c.app = app
	switch standing {
	case valid:
		return ""
	case expired, revoked:
		return "10000"
	case unknown:
		if c.p.apps.any && vivoToken(c) != "" {
			c.app = vivoDigits(c.parsed.(vivoBody).root["appId"])
			return ""
		}
		c.violate("the authToken is missing or was never issued")
	}
	return "10000"
}

// judge checks a message.
func (v *vivoPlayer) judge(c *call, shape check, life vivoLife) string {
	root := c.parsed.(vivoBody).root
	p := &probe{shapeCode: "10102"}
	shape(p, "", root)
	if code := c.blame(p.shape); code != "" {
		return code
	}
	v.meaning(p, root, life)
	return c.blame(p.values)
}

// send is one message to one phone.
func (v *vivoPlayer) send(c *call) answer {
	if a, refused := v.door(c); refused {
		return a
	}
	if len(c.tokens) == 0 || len(c.tokens[0]) == 0 {
		c.violate("regId: is missing")
		return v.envelope(c, "10050")
	}
	if code := v.judge(c, vivoSend, vivoLife{60, 86400}); code != "" {
		return v.envelope(c, code)
	}
	root := c.parsed.(vivoBody).root
	id, _ := root["requestId"].(string)
	content := contentOf(string(c.tokens[0]), root["title"], root["content"])
	if task, twice := v.again(c, id, content); twice {
		c.p.stats.swallow(1)
		return vivoAnswer{Result: "0", TaskID: task}.answer() // and nothing is delivered
	}
	m := v.laidUp(c, root)
	if code := v.quota(c, m); code != "" {
		return v.envelope(c, code)
	}
	return v.sendOne(c, m, id)
}

func (v *vivoPlayer) sendOne(c *call, m laidUp, requestID string) answer {
	if bytes.HasPrefix(c.tokens[0], []byte("off-")) {
		return v.envelope(c, "10311")
	}
	users := v.deliver(c, m)
	if len(users) == 0 {
		v.remember(c, requestID, m.id, contentOf(string(c.tokens[0]), c.parsed.(vivoBody).root["title"], c.parsed.(vivoBody).root["content"]))
		return vivoAnswer{Result: "0", TaskID: m.id}.answer()
	}
	a := vivoAnswer{Result: "10302", Invalid: &users[0]}
	if v.InvalidSucceeds {
		a.Result, a.TaskID = "0", m.id
	}
	return a.answer()
}

// laidUp is what has to be remembered of a message.
func (v *vivoPlayer) laidUp(c *call, root map[string]any) laidUp {
	m := laidUp{id: c.vivoTaskID(), app: c.app, content: contentOf(root["title"], root["content"]), bucket: "operational", test: root["pushMode"] == json.Number("1")}
	m.asked = askedIn(inside(root, "extra"))
	if vivoIsSystem(root) {
		m.bucket = "system"
	}
	life := 24 * time.Hour
	if n, ok := root["timeToLive"].(json.Number); ok {
		seconds, _ := n.Int64() // it was checked
		life = time.Duration(seconds) * time.Second
	}
	if v.SavedLife > 0 {
		life = v.SavedLife
	}
	m.expires = c.now.Add(life)
	return m
}

// quota returns the code that refuses a message of its classification now.
// Test messages are not counted.
func (v *vivoPlayer) quota(c *call, m laidUp) string {
	const beijing = 8 * time.Hour
	hour := c.now.UTC().Add(beijing).Hour()
	used := v.day.of(c.app+" "+m.bucket, c.now)
	cred, _ := c.p.apps.app(c.app)
	system := m.bucket == "system"
	switch {
	case system && slices.Contains(cred.Lacks, RightSystem):
		return "10082"
	case m.test:
		return ""
	case system && v.DaySystem > 0 && used >= v.DaySystem:
		return "10073"
	case !system && v.DayOperational > 0 && used >= v.DayOperational:
		return "10070"
	case !system && v.Hours && (hour < 7 || hour >= 23):
		return "10071"
	}
	return ""
}

// RightSystem is the right to vivo's system messages.
const RightSystem = "system-messages"

// save lays a message up.
func (v *vivoPlayer) save(c *call) answer {
	if a, refused := v.door(c); refused {
		return a
	}
	if code := v.judge(c, vivoSave, vivoLife{900, 604800}); code != "" {
		return v.envelope(c, code)
	}
	root := c.parsed.(vivoBody).root
	m := v.laidUp(c, root)
	id, _ := root["requestId"].(string)
	if task, twice := v.again(c, id, m.content); twice {
		return vivoAnswer{Result: "0", TaskID: task}.answer()
	}
	if code := v.quota(c, m); code != "" {
		return v.envelope(c, code)
	}
	if !v.day.take(c.app+" saves", c.now, v.mostSaves()) {
		return v.envelope(c, v.savesUsedUp())
	}
	v.shelf.put(m, "", c.now)
	v.remember(c, id, m.id, m.content)
	return vivoAnswer{Result: "0", TaskID: m.id}.answer()
}

// list sends what was laid up to 2 to 1,000 phones.
func (v *vivoPlayer) list(c *call) answer {
	if a, refused := v.door(c); refused {
		return a
	}
	b := c.parsed.(vivoBody)
	if code := v.judgeList(c, b); code != "" {
		return v.envelope(c, code)
	}
	task, _ := b.root["taskId"].(string)
	m, ok := v.shelf.find(task, c.app, c.now)
	switch {
	case task == "":
		c.violate("taskId: is missing")
		return v.envelope(c, "10151")
	case m.id == "":
		return v.envelope(c, "10152")
	case !ok:
		return v.envelope(c, "10155")
	}
	if mode := b.root["pushMode"] == json.Number("1"); mode != m.test {
		c.violate("pushMode: is not that of the message that was laid up")
	}
	if code := v.quota(c, m); code != "" {
		return v.envelope(c, code)
	}
	return v.sendList(c, m, b.root["requestId"].(string), contentOf(task, b.regIDs))
}

func (v *vivoPlayer) judgeList(c *call, b vivoBody) string {
	p := &probe{shapeCode: "10102"}
	vivoList(p, "", b.root)
	if code := c.blame(p.shape); code != "" {
		return code
	}
	switch n := len(c.tokens); {
	case !filled(b.root, "requestId"):
		c.violate("requestId: is missing")
		return "10352"
	case n == 0:
		c.violate("regIds: are missing")
		return "10150"
	case n < vivoLeast || n > vivoMost:
		c.violatef("regIds: %d, not %d to %d", n, vivoLeast, vivoMost)
		return "10153"
	}
	return c.blame(p.values)
}

func (v *vivoPlayer) sendList(c *call, m laidUp, requestID string, content uint64) answer {
	_, twice := v.again(c, requestID, content)
	if twice {
		c.p.stats.swallow(len(c.tokens))
		return v.listDone(c) // and nothing is delivered
	}
	users := v.deliver(c, m)
	if n := c.batch.twins(); n > 0 {
		c.violatef("regIds: %d stand there twice: their users get the message twice", n)
	}
	if len(users) < len(c.tokens) {
		v.remember(c, requestID, m.id, content)
	}
	a := vivoAnswer{Result: "0", Invalids: users}
	if len(users) == len(c.tokens) && !v.AllInvalidSucceeds {
		a.Result = "10302"
		if v.AllInvalidUnnamed {
			a.Invalids = nil
		}
	}
	return a.answer()
}

// deliver counts the tokens that are reached, and returns the others. A token
// says by its beginning what is wrong with it.
func (v *vivoPlayer) deliver(c *call, m laidUp) []vivoUser {
	var users []vivoUser
	c.weigh()
	for i, t := range c.tokens {
		if status := vivoStatus(string(t), c.batch.dead[i], m.test); status != 0 {
			users = append(users, vivoUser{status, string(t)})
			c.batch.reject(i)
		}
	}
	c.accept()
	if !m.test {
		c.owe(m.asked)
		v.day.add(c.app+" "+m.bucket, c.now, len(c.tokens)-len(users))
	}
	return users
}

// vivoStatus is 1 not this app's, 2 uninstalled, 3 removed, 4 not a test phone;
// 0 is a phone that can be reached. Tests reach tokens that begin with "test-".
func vivoStatus(token string, invalid, test bool) int {
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
