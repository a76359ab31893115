package simulator

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// What the fields of a send may hold, from
// https://developer.honor.com/cn/docs/11002/reference/downlink-message.

const honorParam = "80100003"

var honorRoot = object(
	field{"data", text(0, "")},
	field{"notification", object(
		field{"title", text(0, "")},
		field{"body", text(0, "")},
		field{"image", secure(honorParam)},
	)},
	field{"android", object(
		field{"ttl", honorTTL},
		field{"biTag", text(0, "")},
		field{"receiptId", text(0, "")},
		field{"targetUserType", integer(0, 1, honorParam)},
		field{"data", text(0, "")},
		field{"notification", honorNotification},
	)},
	field{"token", anything}, // the scanner has read it
)

var honorNotification = object(
	field{"title", text(0, "")},
	field{"body", text(0, "")},
	field{"image", secure(honorParam)},
	field{"clickAction", object(
		field{"type", integer(1, 3, honorParam)},
		field{"intent", text(0, "")},
		field{"action", text(0, "")},
		field{"url", secure(honorParam)},
	)},
	field{"style", integer(0, 1, honorParam)},
	field{"bigTitle", text(0, "")},
	field{"bigBody", text(0, "")},
	field{"importance", word(honorParam, "LOW", "NORMAL")},
	field{"when", text(0, "")},
	field{"buttons", list(3, honorParam, object(
		field{"name", text(40, honorParam)},
		field{"actionType", integer(0, 4, honorParam)},
		field{"intentType", integer(0, 1, honorParam)},
		field{"intent", text(0, "")},
		field{"data", text(1024, honorParam)},
	))},
	field{"badge", object(
		field{"addNum", integer(1, 99, honorParam)},
		field{"setNum", integer(0, 99, honorParam)},
		field{"badgeClass", text(0, "")},
	)},
	field{"notifyId", integer(math.MinInt32, math.MaxInt32, honorParam)},
	field{"tag", text(0, "")},
	field{"group", text(0, "")},
)

var honorSeconds = regexp.MustCompile(`^[0-9]{1,10}s$`)

// honorTTL checks a string of seconds with an s behind it.
func honorTTL(p *probe, path string, v any) {
	s, ok := v.(string)
	if !ok {
		p.misshapen(path, "a string like \"86400s\"")
		return
	}
	seconds, err := strconv.ParseInt(strings.TrimSuffix(s, "s"), 10, 64)
	if !honorSeconds.MatchString(s) || err != nil || seconds < 1 || seconds > huaweiLongest {
		p.wrong(path, "is not seconds up to 15 days like \"86400s\"", honorParam)
	}
}

// honorMeaning checks what several fields say together.
func honorMeaning(p *probe, root map[string]any) {
	plain, rich := inside(root, "notification"), inside(root, "android", "notification")
	_, data := root["data"]
	_, own := inside(root, "android")["data"]
	if plain == nil && rich == nil {
		if !data && !own {
			p.wrong("android.notification", "is missing, and data too", honorParam)
		}
		return
	}
	for _, key := range []string{"title", "body"} {
		if !filled(plain, key) && !filled(rich, key) {
			p.wrong("android.notification."+key, "is missing, also in notification", honorParam)
		}
	}
	honorClick(p, inside(rich, "clickAction"))
	if badge := inside(rich, "badge"); badge != nil && !filled(badge, "badgeClass") {
		p.wrong("android.notification.badge.badgeClass", "is missing", honorParam)
	}
}

func honorClick(p *probe, click map[string]any) {
	const path = "android.notification.clickAction"
	switch {
	case click["type"] == nil:
		p.wrong(path+".type", "is missing", honorParam)
	case click["type"] == json.Number("1") && !filled(click, "intent") && !filled(click, "action"):
		p.wrong(path, "type 1 needs intent or action", honorParam)
	case click["type"] == json.Number("2") && !filled(click, "url"):
		p.wrong(path+".url", "is missing: type 2 needs it", honorParam)
	}
}
