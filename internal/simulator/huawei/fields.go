package huawei

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/postrider/postrider/internal/simulator/play"
)

// What the fields of a send may hold, from the parameter tables of
// https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-api-0000001050986197.

const (
	codeParam    = "80100001"
	codeExpired  = "80100004"
	codeCollapse = "80100013"
	longestTTL   = 1296000 // seconds: 15 days, the longest ttl
)

var rootFields = play.Object(
	play.Field("validate_only", play.Boolean),
	play.Field("review", play.List(0, "", play.Anything)),
	play.Field("message", play.Object(
		play.Field("data", play.Text(0, "")),
		play.Field("notification", play.Object(
			play.Field("title", play.Text(0, "")),
			play.Field("body", play.Text(0, "")),
			play.Field("image", play.HTTPSURL(codeParam)),
		)),
		play.Field("android", androidFields),
		play.Field("apns", play.Anything),
		play.Field("webpush", play.Anything),
		play.Field("token", play.Anything), // read by the scanner
		play.Field("topic", play.Text(0, "")),
		play.Field("condition", play.Text(0, "")),
	)),
)

var androidFields = play.Object(
	play.Field("collapse_key", play.Integer(-1, 100, codeCollapse)),
	play.Field("urgency", play.OneOf(codeParam, "HIGH", "NORMAL")),
	play.Field("category", play.OneOf(codeParam, "IM", "VOIP", "SUBSCRIPTION", "TRAVEL", "HEALTH", "WORK", "ACCOUNT",
		"EXPRESS", "FINANCE", "DEVICE_REMINDER", "MAIL", "PLAY_VOICE", "MARKETING")),
	play.Field("ttl", checkTTL),
	play.Field("bi_tag", play.Text(0, "")),
	play.Field("receipt_id", play.Text(0, "")),
	play.Field("fast_app_target", play.Integer(1, 2, codeParam)),
	play.Field("target_user_type", play.Integer(0, 1, codeParam)),
	play.Field("data", play.Text(0, "")),
	play.Field("notification", notificationFields),
)

var notificationFields = play.Object(
	play.Field("title", play.Text(0, "")),
	play.Field("body", play.Text(0, "")),
	play.Field("icon", play.Text(0, "")),
	play.Field("color", play.Text(0, "")),
	play.Field("sound", play.Text(0, "")),
	play.Field("default_sound", play.Boolean),
	play.Field("tag", play.Text(0, "")),
	play.Field("image", play.HTTPSURL(codeParam)),
	play.Field("style", play.Integer(0, 3, codeParam)),
	play.Field("big_title", play.Text(0, "")),
	play.Field("big_body", play.Text(0, "")),
	play.Field("inbox_content", play.List(5, codeParam, play.Text(0, ""))),
	play.Field("click_action", play.Object(
		play.Field("type", play.Integer(1, 4, codeParam)),
		play.Field("intent", play.Text(0, "")),
		play.Field("action", play.Text(0, "")),
		play.Field("url", play.HTTPSURL(codeParam)),
	)),
	play.Field("body_loc_key", play.Text(0, "")),
	play.Field("body_loc_args", play.List(0, "", play.Text(0, ""))),
	play.Field("title_loc_key", play.Text(0, "")),
	play.Field("title_loc_args", play.List(0, "", play.Text(0, ""))),
	play.Field("multi_lang_key", play.Anything),
	play.Field("channel_id", play.Text(0, "")),
	play.Field("notify_summary", play.Text(0, "")),
	play.Field("notify_id", play.Integer(math.MinInt32, math.MaxInt32, codeParam)),
	play.Field("group", play.Text(0, "")),
	play.Field("ticker", play.Text(0, "")),
	play.Field("badge", play.Object(
		play.Field("add_num", play.Integer(1, 99, codeParam)),
		play.Field("set_num", play.Integer(0, 99, codeParam)),
		play.Field("class", play.Text(0, "")),
	)),
	play.Field("when", play.Text(0, "")),
	play.Field("importance", checkImportance),
	play.Field("use_default_vibrate", play.Boolean),
	play.Field("use_default_light", play.Boolean),
	play.Field("vibrate_config", play.List(0, "", play.Text(0, ""))),
	play.Field("visibility", play.Text(0, "")),
	play.Field("light_settings", play.Anything),
	play.Field("foreground_show", play.Boolean),
	play.Field("profile_id", play.Text(64, codeParam)),
	play.Field("buttons", play.List(3, codeParam, play.Object(
		play.Field("name", play.Text(40, codeParam)),
		play.Field("action_type", play.Integer(0, 4, codeParam)),
		play.Field("intent_type", play.Integer(0, 1, codeParam)),
		play.Field("intent", play.Text(0, "")),
		play.Field("data", play.Text(1024, codeParam)),
	))),
)

// checkImportance forgives HIGH, which older documents list.
func checkImportance(p *play.Findings, path string, v any) {
	code := codeParam
	if v == "HIGH" {
		code = ""
	}
	play.OneOf(code, "LOW", "NORMAL")(p, path, v)
}

var secondsForm = regexp.MustCompile(`^-?\d+(\.\d{1,9})?s?$`)

// checkTTL checks a string of seconds, with or without an s at its end.
func checkTTL(p *play.Findings, path string, v any) {
	s, ok := v.(string)
	if !ok {
		p.MustBe(path, "a string like \"86400s\"")
		return
	}
	seconds, err := strconv.ParseFloat(strings.TrimSuffix(s, "s"), 64)
	switch {
	case !secondsForm.MatchString(s) || err != nil:
		p.Wrong(path, "is not seconds like \"86400s\"", codeParam)
	case seconds <= 0:
		p.Wrong(path, "has passed already", codeExpired)
	case seconds > longestTTL:
		p.Wrong(path, "is over 15 days", codeParam)
	}
}

// checkMeaning checks which fields are required and how they depend on each other.
func checkMeaning(p *play.Findings, message map[string]any) {
	plain, rich := play.Inside(message, "notification"), play.Inside(message, "android", "notification")
	_, data := message["data"]
	_, own := play.Inside(message, "android")["data"]
	if plain == nil && rich == nil {
		if !data && !own {
			p.Wrong("message", "has neither a notification nor data", codeParam)
		}
		return
	}
	for _, key := range []string{"title", "body"} {
		if !play.Filled(plain, key) && !play.Filled(rich, key) && !play.Filled(rich, key+"_loc_key") {
			p.Wrong("message.android.notification."+key, "is missing, also in message.notification", codeParam)
		}
	}
	if play.Inside(message, "android")["category"] == "PLAY_VOICE" {
		p.Wrong("message.android.category", "PLAY_VOICE is for data messages only", codeParam)
	}
	checkClick(p, play.Inside(rich, "click_action"))
	if badge := play.Inside(rich, "badge"); badge != nil && !play.Filled(badge, "class") {
		p.Wrong("message.android.notification.badge.class", "is missing", codeParam)
	}
	if _, ok := rich["inbox_content"]; ok && rich["style"] != json.Number("3") {
		p.Wrong("message.android.notification.inbox_content", "needs style 3", "")
	}
}

func checkClick(p *play.Findings, click map[string]any) {
	const path = "message.android.notification.click_action"
	switch {
	case click == nil:
		p.Wrong(path, "is missing", codeParam)
	case click["type"] == nil:
		p.Wrong(path+".type", "is missing", codeParam)
	case click["type"] == json.Number("1") && !play.Filled(click, "intent") && !play.Filled(click, "action"):
		p.Wrong(path, "type 1 needs intent or action", codeParam)
	case click["type"] == json.Number("2") && !play.Filled(click, "url"):
		p.Wrong(path+".url", "is missing: type 2 needs it", codeParam)
	}
}
