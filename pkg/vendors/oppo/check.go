package oppo

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

const overridesField = "message.overrides." + Name

// longest has the largest number of characters of each field of the notification,
// and the field of the job that it comes from:
// https://open.oppomobile.com/new/developmentDoc/info?id=11236
var longest = []struct {
	field string
	most  int
	from  string // "": overrides only
}{
	{"title", maxTitle, "message.title"},
	{"sub_title", 10, ""},
	{"click_action_activity", 500, "message.click.target"},
	{"click_action_url", 2000, "message.click.target"},
	{"action_parameters", 4000, "message.data"},
	{"call_back_url", 200, ""},
	{"call_back_parameter", 100, ""},
}

// check reports the parts of a message that break a hard limit of OPPO.
func check(m *push.Message) []push.Fault {
	if m.Kind == push.Data {
		return []push.Fault{{Field: "message.kind", Reason: "OPPO has no data messages: send a notification, or leave oppo out of the targets"}}
	}
	faults := body.CheckClick(m.Click)
	override := m.Overrides[Name]
	if f := overrides.Faults(override); len(f) > 0 {
		return append(faults, f...) // without a merged message there is no size
	}
	key := strings.Repeat("0", 32)
	raw, err := payload(m, ident{appMessageID: key, key: key, ttl: maxTTL * time.Second})
	if err != nil {
		return append(faults, push.Fault{Field: "message", Reason: "cannot be encoded as JSON"})
	}
	return append(faults, sizeFaults(raw, override)...)
}

// sizeFaults measures the notification with overrides merged.
func sizeFaults(raw, override []byte) []push.Fault {
	var n, own map[string]any
	if json.Unmarshal(raw, &n) != nil || len(override) > 0 && json.Unmarshal(override, &own) != nil {
		return []push.Fault{{Field: "message", Reason: "cannot be encoded as JSON"}}
	}
	// The fault names the override if it has the field, else the job's field.
	blame := func(field, from string) string {
		if _, overridden := own[field]; overridden || from == "" {
			return overridesField + "." + field
		}
		return from
	}
	var faults []push.Fault
	for _, field := range []string{"title", "content"} {
		if s, _ := n[field].(string); s == "" {
			from := map[string]string{"title": "message.title", "content": "message.body"}[field]
			faults = append(faults, push.Fault{Field: blame(field, from), Reason: "is required at OPPO"})
		}
	}
	for _, l := range longest {
		s, _ := n[l.field].(string)
		if size := utf8.RuneCountInString(s); size > l.most {
			faults = append(faults, push.Fault{Field: blame(l.field, l.from), Reason: tooLong(size, l.most)})
		}
	}
	content, _ := n["content"].(string)
	most := maxBody
	if n["style"] == float64(styleLong) {
		most = maxLong
	}
	if size := utf8.RuneCountInString(content); size > most {
		faults = append(faults, push.Fault{Field: blame("content", "message.body"), Reason: tooLong(size, most)})
	}
	return faults
}

func tooLong(size, most int) string {
	return fmt.Sprintf("has %d characters; OPPO allows %d", size, most)
}

func limits() []vendors.Limit {
	const unit = "characters"
	return []vendors.Limit{
		{Field: "message.title", Max: maxTitle, Unit: unit},
		{Field: "message.body", Max: maxLong, Unit: unit},
	}
}
