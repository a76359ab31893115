package simulator

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// What the fields of a send may hold, from the parameter tables of
// https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-api-0000001050986197.

const (
	huaweiParam    = "80100001"
	huaweiExpired  = "80100004"
	huaweiCollapse = "80100013"
	huaweiLongest  = 1296000 // seconds: 15 days, the most that ttl may say
)

var huaweiRoot = object(
	field{"validate_only", boolean},
	field{"review", list(0, "", anything)},
	field{"message", object(
		field{"data", text(0, "")},
		field{"notification", object(
			field{"title", text(0, "")},
			field{"body", text(0, "")},
			field{"image", secure(huaweiParam)},
		)},
		field{"android", huaweiAndroid},
		field{"apns", anything},
		field{"webpush", anything},
		field{"token", anything}, // the scanner has read it
		field{"topic", text(0, "")},
		field{"condition", text(0, "")},
	)},
)

var huaweiAndroid = object(
	field{"collapse_key", integer(-1, 100, huaweiCollapse)},
	field{"urgency", word(huaweiParam, "HIGH", "NORMAL")},
	field{"category", word(huaweiParam, "IM", "VOIP", "SUBSCRIPTION", "TRAVEL", "HEALTH", "WORK", "ACCOUNT",
		"EXPRESS", "FINANCE", "DEVICE_REMINDER", "MAIL", "PLAY_VOICE", "MARKETING")},
	field{"ttl", huaweiTTL},
	field{"bi_tag", text(0, "")},
	field{"receipt_id", text(0, "")},
	field{"fast_app_target", integer(1, 2, huaweiParam)},
	field{"target_user_type", integer(0, 1, huaweiParam)},
	field{"data", text(0, "")},
	field{"notification", huaweiNotification},
)

var huaweiNotification = object(
	field{"title", text(0, "")},
	field{"body", text(0, "")},
	field{"icon", text(0, "")},
	field{"color", text(0, "")},
	field{"sound", text(0, "")},
	field{"default_sound", boolean},
	field{"tag", text(0, "")},
	field{"image", secure(huaweiParam)},
	field{"style", integer(0, 3, huaweiParam)},
	field{"big_title", text(0, "")},
	field{"big_body", text(0, "")},
	field{"inbox_content", list(5, huaweiParam, text(0, ""))},
	field{"click_action", object(
		field{"type", integer(1, 4, huaweiParam)},
		field{"intent", text(0, "")},
		field{"action", text(0, "")},
		field{"url", secure(huaweiParam)},
	)},
	field{"body_loc_key", text(0, "")},
	field{"body_loc_args", list(0, "", text(0, ""))},
	field{"title_loc_key", text(0, "")},
	field{"title_loc_args", list(0, "", text(0, ""))},
	field{"multi_lang_key", anything},
	field{"channel_id", text(0, "")},
	field{"notify_summary", text(0, "")},
	field{"notify_id", integer(math.MinInt32, math.MaxInt32, huaweiParam)},
	field{"group", text(0, "")},
	field{"ticker", text(0, "")},
	field{"badge", object(
		field{"add_num", integer(1, 99, huaweiParam)},
		field{"set_num", integer(0, 99, huaweiParam)},
		field{"class", text(0, "")},
	)},
	field{"when", text(0, "")},
	field{"importance", huaweiImportance},
	field{"use_default_vibrate", boolean},
	field{"use_default_light", boolean},
	field{"vibrate_config", list(0, "", text(0, ""))},
	field{"visibility", text(0, "")},
	field{"light_settings", anything},
	field{"foreground_show", boolean},
	field{"profile_id", text(64, huaweiParam)},
	field{"buttons", list(3, huaweiParam, object(
		field{"name", text(40, huaweiParam)},
		field{"action_type", integer(0, 4, huaweiParam)},
		field{"intent_type", integer(0, 1, huaweiParam)},
		field{"intent", text(0, "")},
		field{"data", text(1024, huaweiParam)},
	))},
)

// huaweiImportance forgives HIGH, which older documents list.
func huaweiImportance(p *probe, path string, v any) {
	code := huaweiParam
	if v == "HIGH" {
		code = ""
	}
	word(code, "LOW", "NORMAL")(p, path, v)
}

var huaweiSeconds = regexp.MustCompile(`^-?\d+(\.\d{1,9})?s?$`)

// huaweiTTL checks a string of seconds, with or without an s behind it.
func huaweiTTL(p *probe, path string, v any) {
	s, ok := v.(string)
	if !ok {
		p.misshapen(path, "a string like \"86400s\"")
		return
	}
	seconds, err := strconv.ParseFloat(strings.TrimSuffix(s, "s"), 64)
	switch {
	case !huaweiSeconds.MatchString(s) || err != nil:
		p.wrong(path, "is not seconds like \"86400s\"", huaweiParam)
	case seconds <= 0:
		p.wrong(path, "has passed already", huaweiExpired)
	case seconds > huaweiLongest:
		p.wrong(path, "is over 15 days", huaweiParam)
	}
}

// huaweiMeaning checks what several fields say together.
func huaweiMeaning(p *probe, message map[string]any) {
	plain, rich := inside(message, "notification"), inside(message, "android", "notification")
	_, data := message["data"]
	_, own := inside(message, "android")["data"]
	if plain == nil && rich == nil {
		if !data && !own {
			p.wrong("message", "has neither a notification nor data", huaweiParam)
		}
		return
	}
	for _, key := range []string{"title", "body"} {
		if !filled(plain, key) && !filled(rich, key) && !filled(rich, key+"_loc_key") {
			p.wrong("message.android.notification."+key, "is missing, also in message.notification", huaweiParam)
		}
	}
	if inside(message, "android")["category"] == "PLAY_VOICE" {
		p.wrong("message.android.category", "PLAY_VOICE is for data messages alone", huaweiParam)
	}
	huaweiClick(p, inside(rich, "click_action"))
	if badge := inside(rich, "badge"); badge != nil && !filled(badge, "class") {
		p.wrong("message.android.notification.badge.class", "is missing", huaweiParam)
	}
	if _, ok := rich["inbox_content"]; ok && rich["style"] != json.Number("3") {
		p.wrong("message.android.notification.inbox_content", "needs style 3", "")
	}
}

func huaweiClick(p *probe, click map[string]any) {
	const path = "message.android.notification.click_action"
	switch {
	case click == nil:
		p.wrong(path, "is missing", huaweiParam)
	case click["type"] == nil:
		p.wrong(path+".type", "is missing", huaweiParam)
	case click["type"] == json.Number("1") && !filled(click, "intent") && !filled(click, "action"):
		p.wrong(path, "type 1 needs intent or action", huaweiParam)
	case click["type"] == json.Number("2") && !filled(click, "url"):
		p.wrong(path+".url", "is missing: type 2 needs it", huaweiParam)
	}
}
