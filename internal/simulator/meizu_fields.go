package simulator

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// What messageJson may hold, from https://github.com/MEIZUPUSH/PushAPI. The
// document writes flags as 0 and 1 and the vendor's own library as false and
// true, and numbers within extra as text: the server takes both.

var meizuNotice = object(
	field{"noticeBarInfo", object(
		field{"noticeMsgType", integer(0, 1, meizuParam)},
		field{"noticeBarType", integer(0, 2, meizuParam)},
		field{"title", text(32, meizuParam)},
		field{"content", text(100, meizuParam)},
	)},
	field{"noticeExpandInfo", object(
		field{"noticeExpandType", integer(0, 2, meizuParam)},
		field{"noticeExpandContent", text(0, "")},
		field{"noticeExpandImgUrl", text(0, "")},
	)},
	field{"clickTypeInfo", object(
		field{"clickType", integer(0, 3, meizuParam)},
		field{"url", text(0, "")},
		field{"parameters", meizuObject},
		field{"activity", text(0, "")},
		field{"customAttribute", bytesAtMost(1000, meizuParam)},
	)},
	field{"pushTimeInfo", meizuTime},
	field{"advanceInfo", object(
		field{"suspend", meizuFlag},
		field{"clearNoticeBar", meizuFlag},
		field{"fixDisplay", meizuFlag},
		field{"fixStartDisplayTime", text(0, "")},
		field{"fixEndDisplayTime", text(0, "")},
		field{"notificationType", object(field{"vibrate", meizuFlag}, field{"lights", meizuFlag}, field{"sound", meizuFlag})},
		field{"notifyKey", meizuNotifyKey},
	)},
	field{"vipInfo", anything},
	field{"extra", meizuExtra},
)

var meizuTime = object(field{"offLine", meizuFlag}, field{"validTime", integer(1, 72, meizuParam)})

var meizuExtra = object(
	field{"callback", bytesAtMost(128, meizuParam)},
	field{"callback.param", bytesAtMost(64, meizuParam)},
	field{"callback.type", meizuReceiptType},
)

var meizuPass = object(
	field{"title", text(32, meizuParam)},
	field{"content", text(2000, meizuParam)},
	field{"pushTimeInfo", meizuTime},
	field{"extra", meizuExtra},
)

// meizuNotification judges a notification and what its fields say together.
func meizuNotification(p *probe, root map[string]any, callbacks []string) {
	meizuNotice(p, "", root)
	for _, name := range []string{"title", "content"} {
		if !filled(inside(root, "noticeBarInfo"), name) {
			p.wrong("noticeBarInfo."+name, "is missing", meizuMissing)
		}
	}
	click := inside(root, "clickTypeInfo")
	switch click["clickType"] {
	case json.Number("1"):
		if !filled(click, "activity") {
			p.wrong("clickTypeInfo.activity", "is missing: clickType 1 needs it", meizuMissing)
		}
	case json.Number("2"):
		if !filled(click, "url") {
			p.wrong("clickTypeInfo.url", "is missing: clickType 2 needs it", meizuMissing)
		}
	case json.Number("3"):
		p.wrong("clickTypeInfo.clickType", "3 is not to be used any longer", "")
	}
	meizuTogether(p, root, callbacks)
}

func meizuPassThrough(p *probe, root map[string]any, callbacks []string) {
	meizuPass(p, "", root)
	if !filled(root, "content") {
		p.wrong("content", "is missing", meizuMissing)
	}
	meizuTogether(p, root, callbacks)
}

func meizuTogether(p *probe, root map[string]any, callbacks []string) {
	waiting := inside(root, "pushTimeInfo")
	if off := waiting["offLine"]; (off == json.Number("1") || off == true) && waiting["validTime"] == nil {
		p.wrong("pushTimeInfo.validTime", "is missing: offLine 1 needs it", meizuMissing)
	}
	if url, ok := inside(root, "extra")["callback"].(string); ok && len(callbacks) > 0 && !slices.Contains(callbacks, url) {
		p.wrong("extra.callback", "is not registered in the console", meizuParam)
	}
}

func meizuFlag(p *probe, path string, v any) {
	if v != json.Number("0") && v != json.Number("1") && v != true && v != false {
		p.wrong(path, "is not 0 or 1, false or true", meizuParam)
	}
}

func meizuObject(p *probe, path string, v any) {
	if _, ok := v.(map[string]any); !ok {
		p.misshapen(path, "an object")
	}
}

func meizuReceiptType(p *probe, path string, v any) {
	s := fmt.Sprint(v)
	if n, err := strconv.Atoi(s); err != nil || n < 1 || n > 3 {
		p.wrong(path, "is not 1, 2 or 3", meizuParam)
	}
}

var meizuKeyForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,8}$`)

func meizuNotifyKey(p *probe, path string, v any) {
	s, ok := v.(string)
	switch {
	case !ok:
		p.misshapen(path, "a string")
	case s != "" && !meizuKeyForm.MatchString(s):
		p.wrong(path, "is not 1 to 8 letters, digits, - and _", meizuParam)
	}
}
