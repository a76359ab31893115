package simulator

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"unicode/utf8"
)

// What the fields of a notification may hold, from the parameter table of
// https://open.oppomobile.com/new/developmentDoc/info?id=11236.

const (
	oppoMissing  = "40"
	oppoIllegal  = "41"
	oppoCategory = "67"
)

var (
	oppoService   = []string{"IM", "ACCOUNT", "TODO", "DEVICE_REMINDER", "ORDER", "SUBSCRIPTION"}
	oppoMarketing = []string{"NEWS", "CONTENT", "MARKETING", "SOCIAL"}
)

// oppoFields are those of a unicast, and of a message that is saved.
var oppoFields = []field{
	{"app_message_id", text(0, "")},
	{"style", integer(1, 3, oppoIllegal)},
	{"title", text(50, oppoIllegal)},
	{"sub_title", text(10, oppoIllegal)},
	{"content", text(0, "")}, // its length depends on style
	{"click_action_type", oppoClickType},
	{"click_action_activity", text(500, oppoIllegal)},
	{"click_action_url", text(2000, oppoIllegal)},
	{"action_parameters", oppoParameters},
	{"off_line", boolean},
	{"off_line_ttl", integer(0, 864000, "")}, // more is forgiven and clamped
	{"time_zone", text(0, "")},
	{"network_type", integer(0, 1, oppoIllegal)},
	{"call_back_url", text(200, oppoIllegal)},
	{"call_back_parameter", text(100, oppoIllegal)},
	{"channel_id", text(0, "")},
	{"show_ttl", integer(0, 48*3600, oppoIllegal)},
	{"notify_id", integer(0, 1<<31-1, oppoIllegal)},
	{"category", word(oppoCategory, slices.Concat(oppoService, oppoMarketing)...)},
	{"notify_level", oppoLevel},
	{"private_msg_template_id", text(0, "")},
	{"private_title_parameters", anything},
	{"private_content_parameters", anything},
	{"auditResponse", anything},
}

// oppoBroadcastFields are for messages that are saved alone.
var oppoBroadcastFields = []field{
	{"show_time_type", integer(0, 1, oppoIllegal)},
	{"show_start_time", integer(0, 1<<53, oppoIllegal)},
	{"show_end_time", integer(0, 1<<53, oppoIllegal)},
	{"push_time_type", integer(0, 1, oppoIllegal)},
	{"push_start_time", integer(0, 1<<53, oppoIllegal)},
	{"fix_speed", boolean},
	{"fix_speed_rate", integer(1000, 10000, oppoIllegal)},
}

var (
	oppoNotification = object(oppoFields...)
	oppoSaved        = object(slices.Concat(oppoFields, oppoBroadcastFields)...)
)

// oppoClickType checks 0, 1, 2, 4 or 5: there is no 3.
func oppoClickType(p *probe, path string, v any) {
	if v == json.Number("3") {
		p.wrong(path, "3 does not exist", oppoIllegal)
	}
	integer(0, 5, oppoIllegal)(p, path, v)
}

func oppoLevel(p *probe, path string, v any) {
	if n, ok := v.(json.Number); ok && n != "1" && n != "2" && n != "16" {
		p.wrong(path, "is not 1, 2 or 16", oppoCategory)
	}
}

// oppoParameters checks a string that holds a JSON object.
func oppoParameters(p *probe, path string, v any) {
	text(4000, oppoIllegal)(p, path, v)
	if s, ok := v.(string); ok {
		if _, err := jsonObject(s); err != nil {
			p.wrong(path, "holds no JSON object", oppoIllegal)
		}
	}
}

// oppoMeaning checks what several fields say together.
func oppoMeaning(p *probe, path string, n map[string]any) {
	for _, name := range []string{"title", "content"} {
		if !filled(n, name) {
			p.wrong(join(path, name), "is missing", oppoMissing)
		}
	}
	content, _ := n["content"].(string)
	most := 50
	if n["style"] == json.Number("2") {
		most = 128
	}
	if utf8.RuneCountInString(content) > most {
		p.wrong(join(path, "content"), "is too long for its style", oppoIllegal)
	}
	switch n["click_action_type"] {
	case json.Number("1"), json.Number("4"):
		if !filled(n, "click_action_activity") {
			p.wrong(join(path, "click_action_activity"), "is missing: types 1 and 4 need it", oppoMissing)
		}
	case json.Number("2"), json.Number("5"):
		if !filled(n, "click_action_url") {
			p.wrong(join(path, "click_action_url"), "is missing: types 2 and 5 need it", oppoMissing)
		}
	}
	if _, level := n["notify_level"]; level && !filled(n, "category") {
		p.wrong(join(path, "notify_level"), "needs a category", oppoCategory)
	}
}

// typed turns the strings of a form into what a JSON notification would have,
// so that both are checked alike.
func typed(form url.Values) map[string]any {
	n := map[string]any{}
	for name, values := range form {
		n[name] = values[0]
		if v, err := jsonValue(values[0]); err == nil && !oppoText[name] {
			n[name] = v
		}
	}
	return n
}

// oppoText are the fields that are strings whatever they look like.
var oppoText = func() map[string]bool {
	is := map[string]bool{}
	for _, name := range []string{
		"app_message_id", "title", "sub_title", "content", "click_action_activity", "click_action_url", "action_parameters",
		"time_zone", "call_back_url", "call_back_parameter", "channel_id", "category", "private_msg_template_id",
	} {
		is[name] = true
	}
	return is
}()

// unlistedKeys are a form's keys that are not among the names.
func unlistedKeys(form url.Values, names ...string) []string {
	var odd []string
	for _, key := range slices.Sorted(maps.Keys(form)) {
		if !slices.Contains(names, key) {
			odd = append(odd, key)
		}
	}
	return odd
}
