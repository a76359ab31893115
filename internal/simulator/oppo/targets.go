package oppo

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/postrider/postrider/internal/simulator/play"
)

// checkTargets checks the targets of a unicast or a batch.
func (o *player) checkTargets(c *play.Call, name string, most int) string {
	b := c.Parsed.(*requestForm)
	switch n := len(b.targets); {
	case b.form.Get(name) == "":
		c.Violate(name + ": is missing")
		return codeMissing
	case b.notList:
		c.Violate(name + ": is not JSON of the right type")
		return codeIllegal
	case n == 0 || n > most:
		c.Violatef("%s: %d targets, not 1 to %d", name, n, most)
		return codeIllegal
	}
	var last *messageTarget
	for i := range b.targets {
		path := name
		if most > 1 {
			path += "[" + strconv.Itoa(i) + "]"
		}
		if code := o.checkTarget(c, path, i, last); code != "" {
			return code
		}
		last = &b.targets[i]
	}
	return ""
}

// checkTarget checks one target. A notification that is the same as the last one is
// not checked again.
func (o *player) checkTarget(c *play.Call, path string, i int, last *messageTarget) string {
	t := &c.Parsed.(*requestForm).targets[i]
	p := &play.Findings{TypeCode: codeIllegal}
	for name, check := range targetFields {
		if raw, ok := t.members[name]; ok {
			v, _ := jsonValue(string(raw)) // it was JSON before
			check(p, play.JoinPath(path, name), v)
		}
	}
	for name := range t.members {
		if _, known := targetFields[name]; !known && name != "notification" {
			p.Wrong(play.JoinPath(path, name), "is not one of the vendor's fields", "")
		}
	}
	if code := c.RecordFindings(append(p.Types, p.Values...)); code != "" {
		return code
	}
	if code := checkReceiver(c, path, t.members, c.Tokens[i]); code != "" {
		return code
	}
	if last != nil && bytes.Equal(last.members["notification"], t.members["notification"]) {
		t.notification, t.id, t.public = last.notification, last.id, last.public
		return ""
	}
	return o.checkNotification(c, play.JoinPath(path, "notification"), t)
}

var targetFields = map[string]play.Check{
	"target_type":            play.Integer(1, 6, codeIllegal),
	"target_value":           play.Text(0, ""),
	"verify_registration_id": play.Boolean,
}

// checkReceiver checks that a target is exactly one registration id.
func checkReceiver(c *play.Call, path string, members map[string]json.RawMessage, token []byte) string {
	switch {
	case members["target_type"] == nil || members["target_value"] == nil || members["notification"] == nil:
		c.Violate(path + ": target_type, target_value or notification is missing")
		return codeMissing
	case string(members["target_type"]) != "2":
		c.Violate(play.JoinPath(path, "target_type") + ": only 2, registration ids, is supported here")
		return codeIllegal
	case len(token) == 0 || bytes.ContainsAny(token, ";, "):
		c.Violate(play.JoinPath(path, "target_value") + ": is not one registration id")
		return codeIllegal
	}
	return ""
}

func (o *player) checkNotification(c *play.Call, path string, t *messageTarget) string {
	n, err := play.DecodeObject(t.members["notification"])
	if err != nil {
		c.Violate(path + ": is not an object")
		return codeIllegal
	}
	t.notification = n
	t.id, _ = n["app_message_id"].(string)
	category, _ := n["category"].(string)
	t.public = !slices.Contains(serviceCategories, category)
	return o.checkMessage(c, path, n, notificationFields)
}

func (o *player) checkMessage(c *play.Call, path string, n map[string]any, shape play.Check) string {
	p := &play.Findings{TypeCode: codeIllegal}
	shape(p, path, n)
	if code := c.RecordFindings(p.Types); code != "" {
		return code
	}
	checkMeaning(p, path, n)
	if cred, _ := c.AppByID(c.App); n["notify_level"] == json.Number("16") && slices.Contains(cred.Lacks, play.RightHighUrgency) {
		p.Wrong(play.JoinPath(path, "notify_level"), "16 without the right to it", codeCategory)
	}
	return c.RecordFindings(p.Values)
}
