package simulator

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
)

// What the fields of a send may hold, from the parameter tables of
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-request-param.

const (
	harmonyParam   = "80100003" // the document's example answers a wrong addNum with it
	harmonyExpired = "80100004"

	harmonyAlert      = "0"
	harmonyFormUpdate = "1"
	harmonyBackground = "6"
)

// harmonyForms checks a body by the header push-type. The payloads of form
// updates, voice messages, live views and calls are taken as they are.
var harmonyForms = map[string]check{
	harmonyAlert:      harmonyRoot(object(field{"notification", harmonyNotification})),
	harmonyFormUpdate: harmonyRoot(anything),
	"2":               harmonyRoot(anything),
	harmonyBackground: harmonyRoot(object(
		field{"extraData", text(0, "")},
		field{"proxyData", word(harmonyParam, "ENABLE")},
	)),
	"7":  harmonyRoot(anything),
	"10": harmonyRoot(anything),
}

func harmonyRoot(payload check) check {
	return object(
		field{"payload", payload},
		field{"target", object(field{"token", anything})}, // the scanner has read it
		field{"pushOptions", object(
			field{"testMessage", boolean},
			field{"ttl", harmonyTTL},
			field{"biTag", bytesAtMost(64, harmonyParam)},
			field{"receiptId", text(0, "")},
			field{"collapseKey", integer(-1, 100, harmonyParam)},
			field{"backgroundMode", integer(0, 1, harmonyParam)},
		)},
	)
}

var harmonyNotification = object(
	field{"category", word(harmonyParam, "IM", "VOIP", "MISS_CALL", "SUBSCRIPTION", "TRAVEL", "HEALTH", "WORK", "ACCOUNT",
		"EXPRESS", "FINANCE", "DEVICE_REMINDER", "MAIL", "MARKETING")}, // PLAY_VOICE goes with push-type 2
	field{"title", text(0, "")},
	field{"body", text(0, "")},
	field{"image", secure(harmonyParam)},
	field{"style", harmonyStyle},
	field{"bigTitle", text(0, "")},
	field{"bigBody", text(0, "")},
	field{"notifyId", integer(-1, math.MaxInt32, harmonyParam)},
	field{"appMessageId", harmonyMessageID},
	field{"profileId", text(64, harmonyParam)},
	field{"inboxContent", list(3, harmonyParam, text(1024, harmonyParam))},
	field{"clickAction", object(
		field{"actionType", integer(0, 1, harmonyParam)},
		field{"action", text(0, "")},
		field{"uri", text(0, "")},
		field{"data", harmonyObject},
	)},
	field{"badge", object(
		field{"addNum", integer(1, 99, harmonyParam)},
		field{"setNum", integer(0, 99, harmonyParam)},
	)},
	field{"sound", text(0, "")},
	field{"soundDuration", integer(1, 60, harmonyParam)},
	field{"foregroundShow", boolean},
)

func harmonyStyle(p *probe, path string, v any) {
	integer(0, 3, harmonyParam)(p, path, v)
	if v == json.Number("2") {
		p.wrong(path, "is not 0, 1 or 3", harmonyParam)
	}
}

var harmonyID = regexp.MustCompile(`^[0-9A-Za-z+/=_\-\s]{1,64}$`)

func harmonyMessageID(p *probe, path string, v any) {
	s, ok := v.(string)
	if !ok {
		p.misshapen(path, "a string")
	} else if !harmonyID.MatchString(s) {
		p.wrong(path, "is not 1 to 64 letters, digits, blanks and + / = - _", harmonyParam)
	}
}

func harmonyObject(p *probe, path string, v any) {
	if _, ok := v.(map[string]any); !ok {
		p.misshapen(path, "an object")
	}
}

// harmonyTTL checks a number of seconds; API v1 has a string there.
func harmonyTTL(p *probe, path string, v any) {
	number, ok := v.(json.Number)
	if !ok {
		p.misshapen(path, "a number")
		return
	}
	n, err := strconv.ParseInt(number.String(), 10, 64)
	switch {
	case err != nil || n > huaweiLongest:
		p.wrong(path, "is not a whole number of seconds up to 15 days", harmonyParam)
	case n <= 0:
		p.wrong(path, "has passed already", harmonyExpired)
	}
}

// bytesAtMost checks a string of at most most bytes.
func bytesAtMost(most int, code string) check {
	return func(p *probe, path string, v any) {
		s, ok := v.(string)
		if !ok {
			p.misshapen(path, "a string")
		} else if len(s) > most {
			p.wrong(path, "is longer than "+strconv.Itoa(most)+" bytes", code)
		}
	}
}

// harmonyMeaning checks what is required, and what several fields say together.
func harmonyMeaning(p *probe, kind string, root map[string]any) {
	payload := inside(root, "payload")
	switch {
	case payload == nil:
		p.wrong("payload", "is missing", harmonyParam)
	case kind == harmonyAlert:
		harmonyAlertMeaning(p, payload)
	case kind == harmonyBackground && !filled(payload, "extraData"):
		p.wrong("payload.extraData", "is missing", harmonyParam)
	}
	options := inside(root, "pushOptions")
	if _, ok := options["collapseKey"]; ok && kind != harmonyAlert && kind != "2" {
		p.wrong("pushOptions.collapseKey", "works with push-type 0 and 2 alone", "")
	}
	if _, ok := options["backgroundMode"]; ok && kind != harmonyBackground {
		p.wrong("pushOptions.backgroundMode", "works with push-type 6 alone", "")
	}
}

func harmonyAlertMeaning(p *probe, payload map[string]any) {
	const path = "payload.notification"
	n := inside(payload, "notification")
	if n == nil {
		p.wrong(path, "is missing", harmonyParam)
		return
	}
	for _, key := range []string{"category", "title", "body"} {
		if !filled(n, key) {
			p.wrong(path+"."+key, "is missing", harmonyParam)
		}
	}
	click := inside(n, "clickAction")
	switch {
	case click["actionType"] == nil:
		p.wrong(path+".clickAction.actionType", "is missing", harmonyParam)
	case click["actionType"] == json.Number("1") && !filled(click, "action") && !filled(click, "uri"):
		p.wrong(path+".clickAction", "type 1 needs action or uri", harmonyParam)
	}
	if _, ok := n["inboxContent"]; ok != (n["style"] == json.Number("3")) {
		p.wrong(path+".inboxContent", "goes with style 3", harmonyParam)
	}
	if _, ok := n["soundDuration"]; ok && !filled(n, "sound") {
		p.wrong(path+".soundDuration", "works with sound alone", "")
	}
}
