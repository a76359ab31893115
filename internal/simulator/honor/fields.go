package honor

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/postrider/postrider/internal/simulator/play"
)

// What the fields of a send may hold, from
// https://developer.honor.com/cn/docs/11002/reference/downlink-message.

const (
	codeParam  = "80100003"
	longestTTL = 1296000 // seconds: 15 days
)

var rootFields = play.Object(
	play.Field("data", play.Text(0, "")),
	play.Field("notification", play.Object(
		play.Field("title", play.Text(0, "")),
		play.Field("body", play.Text(0, "")),
		play.Field("image", play.HTTPSURL(codeParam)),
	)),
	play.Field("android", play.Object(
		play.Field("ttl", checkTTL),
		play.Field("biTag", play.Text(0, "")),
		play.Field("receiptId", play.Text(0, "")),
		play.Field("targetUserType", play.Integer(0, 1, codeParam)),
		play.Field("data", play.Text(0, "")),
		play.Field("notification", notificationFields),
	)),
	play.Field("token", play.Anything), // read by the scanner
)

var notificationFields = play.Object(
	play.Field("title", play.Text(0, "")),
	play.Field("body", play.Text(0, "")),
	play.Field("image", play.HTTPSURL(codeParam)),
	play.Field("clickAction", play.Object(
		play.Field("type", play.Integer(1, 3, codeParam)),
		play.Field("intent", play.Text(0, "")),
		play.Field("action", play.Text(0, "")),
		play.Field("url", play.HTTPSURL(codeParam)),
	)),
	play.Field("style", play.Integer(0, 1, codeParam)),
	play.Field("bigTitle", play.Text(0, "")),
	play.Field("bigBody", play.Text(0, "")),
	play.Field("importance", play.OneOf(codeParam, "LOW", "NORMAL")),
	play.Field("when", play.Text(0, "")),
	play.Field("buttons", play.List(3, codeParam, play.Object(
		play.Field("name", play.Text(40, codeParam)),
		play.Field("actionType", play.Integer(0, 4, codeParam)),
		play.Field("intentType", play.Integer(0, 1, codeParam)),
		play.Field("intent", play.Text(0, "")),
		play.Field("data", play.Text(1024, codeParam)),
	))),
	play.Field("badge", play.Object(
		play.Field("addNum", play.Integer(1, 99, codeParam)),
		play.Field("setNum", play.Integer(0, 99, codeParam)),
		play.Field("badgeClass", play.Text(0, "")),
	)),
	play.Field("notifyId", play.Integer(math.MinInt32, math.MaxInt32, codeParam)),
	play.Field("tag", play.Text(0, "")),
	play.Field("group", play.Text(0, "")),
)

var secondsForm = regexp.MustCompile(`^[0-9]{1,10}s$`)

// checkTTL checks a string of seconds with an s at its end.
func checkTTL(p *play.Findings, path string, v any) {
	s, ok := v.(string)
	if !ok {
		p.MustBe(path, "a string like \"86400s\"")
		return
	}
	seconds, err := strconv.ParseInt(strings.TrimSuffix(s, "s"), 10, 64)
	if !secondsForm.MatchString(s) || err != nil || seconds < 1 || seconds > longestTTL {
		p.Wrong(path, "is not seconds up to 15 days like \"86400s\"", codeParam)
	}
}

// checkMeaning checks which fields are required and how they depend on each other.
func checkMeaning(p *play.Findings, root map[string]any) {
	plain, rich := play.Inside(root, "notification"), play.Inside(root, "android", "notification")
	_, data := root["data"]
	_, own := play.Inside(root, "android")["data"]
	if plain == nil && rich == nil {
		if !data && !own {
			p.Wrong("android.notification", "is missing, and data too", codeParam)
		}
		return
	}
	for _, key := range []string{"title", "body"} {
		if !play.Filled(plain, key) && !play.Filled(rich, key) {
			p.Wrong("android.notification."+key, "is missing, also in notification", codeParam)
		}
	}
	checkClick(p, play.Inside(rich, "clickAction"))
	if badge := play.Inside(rich, "badge"); badge != nil && !play.Filled(badge, "badgeClass") {
		p.Wrong("android.notification.badge.badgeClass", "is missing", codeParam)
	}
}

func checkClick(p *play.Findings, click map[string]any) {
	const path = "android.notification.clickAction"
	switch {
	case click["type"] == nil:
		p.Wrong(path+".type", "is missing", codeParam)
	case click["type"] == json.Number("1") && !play.Filled(click, "intent") && !play.Filled(click, "action"):
		p.Wrong(path, "type 1 needs intent or action", codeParam)
	case click["type"] == json.Number("2") && !play.Filled(click, "url"):
		p.Wrong(path+".url", "is missing: type 2 needs it", codeParam)
	}
}
