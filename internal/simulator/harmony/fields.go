package harmony

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"

	"github.com/postrider/postrider/internal/simulator/play"
)

// What the fields of a send may hold, from the parameter tables of
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-request-param.

const (
	codeParam   = "80100003" // the document's example answers a wrong addNum with it
	codeExpired = "80100004"

	longestTTL = 1296000 // seconds: 15 days

	pushAlert      = "0"
	pushFormUpdate = "1"
	pushBackground = "6"
)

// bodyChecks are the checks of a body by the header push-type. The payloads of
// form updates, voice messages, live views and calls are not checked.
var bodyChecks = map[string]play.Check{
	pushAlert:      bodyFields(play.Object(play.Field("notification", notificationFields))),
	pushFormUpdate: bodyFields(play.Anything),
	"2":            bodyFields(play.Anything),
	pushBackground: bodyFields(play.Object(
		play.Field("extraData", play.Text(0, "")),
		play.Field("proxyData", play.OneOf(codeParam, "ENABLE")),
	)),
	"7":  bodyFields(play.Anything),
	"10": bodyFields(play.Anything),
}

// bodyFields checks a body with a kind of payload.
func bodyFields(payload play.Check) play.Check {
	return play.Object(
		play.Field("payload", payload),
		play.Field("target", play.Object(play.Field("token", play.Anything))), // read by the scanner
		play.Field("pushOptions", play.Object(
			play.Field("testMessage", play.Boolean),
			play.Field("ttl", checkTTL),
			play.Field("biTag", play.BytesAtMost(64, codeParam)),
			play.Field("receiptId", play.Text(0, "")),
			play.Field("collapseKey", play.Integer(-1, 100, codeParam)),
			play.Field("backgroundMode", play.Integer(0, 1, codeParam)),
		)),
	)
}

var notificationFields = play.Object(
	play.Field("category", play.OneOf(codeParam, "IM", "VOIP", "MISS_CALL", "SUBSCRIPTION", "TRAVEL", "HEALTH", "WORK", "ACCOUNT",
		"EXPRESS", "FINANCE", "DEVICE_REMINDER", "MAIL", "MARKETING")), // PLAY_VOICE belongs to push-type 2
	play.Field("title", play.Text(0, "")),
	play.Field("body", play.Text(0, "")),
	play.Field("image", play.HTTPSURL(codeParam)),
	play.Field("style", checkStyle),
	play.Field("bigTitle", play.Text(0, "")),
	play.Field("bigBody", play.Text(0, "")),
	play.Field("notifyId", play.Integer(-1, math.MaxInt32, codeParam)),
	play.Field("appMessageId", checkMessageID),
	play.Field("profileId", play.Text(64, codeParam)),
	play.Field("inboxContent", play.List(3, codeParam, play.Text(1024, codeParam))),
	play.Field("clickAction", play.Object(
		play.Field("actionType", play.Integer(0, 1, codeParam)),
		play.Field("action", play.Text(0, "")),
		play.Field("uri", play.Text(0, "")),
		play.Field("data", play.AnyObject),
	)),
	play.Field("badge", play.Object(
		play.Field("addNum", play.Integer(1, 99, codeParam)),
		play.Field("setNum", play.Integer(0, 99, codeParam)),
	)),
	play.Field("sound", play.Text(0, "")),
	play.Field("soundDuration", play.Integer(1, 60, codeParam)),
	play.Field("foregroundShow", play.Boolean),
)

func checkStyle(p *play.Findings, path string, v any) {
	play.Integer(0, 3, codeParam)(p, path, v)
	if v == json.Number("2") {
		p.Wrong(path, "is not 0, 1 or 3", codeParam)
	}
}

var messageIDForm = regexp.MustCompile(`^[0-9A-Za-z+/=_\-\s]{1,64}$`)

func checkMessageID(p *play.Findings, path string, v any) {
	s, ok := v.(string)
	if !ok {
		p.MustBe(path, "a string")
	} else if !messageIDForm.MatchString(s) {
		p.Wrong(path, "is not 1 to 64 letters, digits, spaces and + / = - _", codeParam)
	}
}

// checkTTL checks a number of seconds. API v1 has a string instead.
func checkTTL(p *play.Findings, path string, v any) {
	number, ok := v.(json.Number)
	if !ok {
		p.MustBe(path, "a number")
		return
	}
	n, err := strconv.ParseInt(number.String(), 10, 64)
	switch {
	case err != nil || n > longestTTL:
		p.Wrong(path, "is not a whole number of seconds up to 15 days", codeParam)
	case n <= 0:
		p.Wrong(path, "has passed already", codeExpired)
	}
}

// checkMeaning checks which fields are required and how they depend on each other.
func checkMeaning(p *play.Findings, kind string, root map[string]any) {
	payload := play.Inside(root, "payload")
	switch {
	case payload == nil:
		p.Wrong("payload", "is missing", codeParam)
	case kind == pushAlert:
		checkAlert(p, payload)
	case kind == pushBackground && !play.Filled(payload, "extraData"):
		p.Wrong("payload.extraData", "is missing", codeParam)
	}
	options := play.Inside(root, "pushOptions")
	if _, ok := options["collapseKey"]; ok && kind != pushAlert && kind != "2" {
		p.Wrong("pushOptions.collapseKey", "works only with push-type 0 and 2", "")
	}
	if _, ok := options["backgroundMode"]; ok && kind != pushBackground {
		p.Wrong("pushOptions.backgroundMode", "works only with push-type 6", "")
	}
}

func checkAlert(p *play.Findings, payload map[string]any) {
	const path = "payload.notification"
	n := play.Inside(payload, "notification")
	if n == nil {
		p.Wrong(path, "is missing", codeParam)
		return
	}
	for _, key := range []string{"category", "title", "body"} {
		if !play.Filled(n, key) {
			p.Wrong(path+"."+key, "is missing", codeParam)
		}
	}
	click := play.Inside(n, "clickAction")
	switch {
	case click["actionType"] == nil:
		p.Wrong(path+".clickAction.actionType", "is missing", codeParam)
	case click["actionType"] == json.Number("1") && !play.Filled(click, "action") && !play.Filled(click, "uri"):
		p.Wrong(path+".clickAction", "type 1 needs action or uri", codeParam)
	}
	if _, ok := n["inboxContent"]; ok != (n["style"] == json.Number("3")) {
		p.Wrong(path+".inboxContent", "goes with style 3", codeParam)
	}
	if _, ok := n["soundDuration"]; ok && !play.Filled(n, "sound") {
		p.Wrong(path+".soundDuration", "works only with sound", "")
	}
}
