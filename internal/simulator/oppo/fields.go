package oppo

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"unicode/utf8"

	"github.com/postrider/postrider/internal/simulator/play"
)

// What the fields of a notification may hold, from the parameter table of
// https://open.oppomobile.com/new/developmentDoc/info?id=11236.

const (
	codeMissing  = "40"
	codeIllegal  = "41"
	codeCategory = "67"
)

var (
	serviceCategories   = []string{"IM", "ACCOUNT", "TODO", "DEVICE_REMINDER", "ORDER", "SUBSCRIPTION"}
	marketingCategories = []string{"NEWS", "CONTENT", "MARKETING", "SOCIAL"}
)

// messageFields are the fields of a unicast and of a saved message.
var messageFields = []play.Member{
	play.Field("app_message_id", play.Text(0, "")),
	play.Field("style", play.Integer(1, 3, codeIllegal)),
	play.Field("title", play.Text(50, codeIllegal)),
	play.Field("sub_title", play.Text(10, codeIllegal)),
	play.Field("content", play.Text(0, "")), // its length depends on style
	play.Field("click_action_type", checkClickType),
	play.Field("click_action_activity", play.Text(500, codeIllegal)),
	play.Field("click_action_url", play.Text(2000, codeIllegal)),
	play.Field("action_parameters", checkParameters),
	play.Field("off_line", play.Boolean),
	play.Field("off_line_ttl", play.Integer(0, 864000, "")), // the vendor shortens more
	play.Field("time_zone", play.Text(0, "")),
	play.Field("network_type", play.Integer(0, 1, codeIllegal)),
	play.Field("call_back_url", play.Text(200, codeIllegal)),
	play.Field("call_back_parameter", play.Text(100, codeIllegal)),
	play.Field("channel_id", play.Text(0, "")),
	play.Field("show_ttl", play.Integer(0, 48*3600, codeIllegal)),
	play.Field("notify_id", play.Integer(0, 1<<31-1, codeIllegal)),
	play.Field("category", play.OneOf(codeCategory, slices.Concat(serviceCategories, marketingCategories)...)),
	play.Field("notify_level", checkLevel),
	play.Field("private_msg_template_id", play.Text(0, "")),
	play.Field("private_title_parameters", play.Anything),
	play.Field("private_content_parameters", play.Anything),
	play.Field("auditResponse", play.Anything),
}

// broadcastFields are the fields that only saved messages have.
var broadcastFields = []play.Member{
	play.Field("show_time_type", play.Integer(0, 1, codeIllegal)),
	play.Field("show_start_time", play.Integer(0, 1<<53, codeIllegal)),
	play.Field("show_end_time", play.Integer(0, 1<<53, codeIllegal)),
	play.Field("push_time_type", play.Integer(0, 1, codeIllegal)),
	play.Field("push_start_time", play.Integer(0, 1<<53, codeIllegal)),
	play.Field("fix_speed", play.Boolean),
	play.Field("fix_speed_rate", play.Integer(1000, 10000, codeIllegal)),
}

var (
	notificationFields = play.Object(messageFields...)
	savedFields        = play.Object(slices.Concat(messageFields, broadcastFields)...)
)

// checkClickType checks 0, 1, 2, 4 or 5: there is no 3.
func checkClickType(p *play.Findings, path string, v any) {
	if v == json.Number("3") {
		p.Wrong(path, "3 does not exist", codeIllegal)
	}
	play.Integer(0, 5, codeIllegal)(p, path, v)
}

func checkLevel(p *play.Findings, path string, v any) {
	if n, ok := v.(json.Number); ok && n != "1" && n != "2" && n != "16" {
		p.Wrong(path, "is not 1, 2 or 16", codeCategory)
	}
}

// checkParameters checks a string that holds a JSON object.
func checkParameters(p *play.Findings, path string, v any) {
	play.Text(4000, codeIllegal)(p, path, v)
	if s, ok := v.(string); ok {
		if _, err := play.DecodeObject([]byte(s)); err != nil {
			p.Wrong(path, "is not a JSON object", codeIllegal)
		}
	}
}

// checkMeaning checks which fields are required and how they depend on each other.
func checkMeaning(p *play.Findings, path string, n map[string]any) {
	for _, name := range []string{"title", "content"} {
		if !play.Filled(n, name) {
			p.Wrong(play.JoinPath(path, name), "is missing", codeMissing)
		}
	}
	content, _ := n["content"].(string)
	most := 50
	if n["style"] == json.Number("2") {
		most = 128
	}
	if utf8.RuneCountInString(content) > most {
		p.Wrong(play.JoinPath(path, "content"), "is too long for its style", codeIllegal)
	}
	switch n["click_action_type"] {
	case json.Number("1"), json.Number("4"):
		if !play.Filled(n, "click_action_activity") {
			p.Wrong(play.JoinPath(path, "click_action_activity"), "is missing: types 1 and 4 need it", codeMissing)
		}
	case json.Number("2"), json.Number("5"):
		if !play.Filled(n, "click_action_url") {
			p.Wrong(play.JoinPath(path, "click_action_url"), "is missing: types 2 and 5 need it", codeMissing)
		}
	}
	if _, level := n["notify_level"]; level && !play.Filled(n, "category") {
		p.Wrong(play.JoinPath(path, "notify_level"), "needs a category", codeCategory)
	}
}

// typed turns the strings of a form into the values of a JSON notification, so
// that both are checked in the same way.
func typed(form url.Values) map[string]any {
	n := map[string]any{}
	for name, values := range form {
		n[name] = values[0]
		if v, err := jsonValue(values[0]); err == nil && !textFields[name] {
			n[name] = v
		}
	}
	return n
}

// textFields are the fields that are strings even if they look like numbers.
var textFields = func() map[string]bool {
	is := map[string]bool{}
	for _, name := range []string{
		"app_message_id", "title", "sub_title", "content", "click_action_activity", "click_action_url", "action_parameters",
		"time_zone", "call_back_url", "call_back_parameter", "channel_id", "category", "private_msg_template_id",
	} {
		is[name] = true
	}
	return is
}()

// unlistedKeys are a form's keys that are not in names.
func unlistedKeys(form url.Values, names ...string) []string {
	var odd []string
	for _, key := range slices.Sorted(maps.Keys(form)) {
		if !slices.Contains(names, key) {
			odd = append(odd, key)
		}
	}
	return odd
}
