package meizu

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/postrider/postrider/internal/simulator/play"
)

// What messageJson may hold, from https://github.com/MEIZUPUSH/PushAPI. The
// document writes flags as 0 and 1, the vendor's own library writes false and
// true, and numbers in extra as text: the server accepts both.

var notificationFields = play.Object(
	play.Field("noticeBarInfo", play.Object(
		play.Field("noticeMsgType", play.Integer(0, 1, codeParam)),
		play.Field("noticeBarType", play.Integer(0, 2, codeParam)),
		play.Field("title", play.Text(32, codeParam)),
		play.Field("content", play.Text(100, codeParam)),
	)),
	play.Field("noticeExpandInfo", play.Object(
		play.Field("noticeExpandType", play.Integer(0, 2, codeParam)),
		play.Field("noticeExpandContent", play.Text(0, "")),
		play.Field("noticeExpandImgUrl", play.Text(0, "")),
	)),
	play.Field("clickTypeInfo", play.Object(
		play.Field("clickType", play.Integer(0, 3, codeParam)),
		play.Field("url", play.Text(0, "")),
		play.Field("parameters", play.AnyObject),
		play.Field("activity", play.Text(0, "")),
		play.Field("customAttribute", play.BytesAtMost(1000, codeParam)),
	)),
	play.Field("pushTimeInfo", pushTimeFields),
	play.Field("advanceInfo", play.Object(
		play.Field("suspend", checkFlag),
		play.Field("clearNoticeBar", checkFlag),
		play.Field("fixDisplay", checkFlag),
		play.Field("fixStartDisplayTime", play.Text(0, "")),
		play.Field("fixEndDisplayTime", play.Text(0, "")),
		play.Field("notificationType", play.Object(play.Field("vibrate", checkFlag), play.Field("lights", checkFlag), play.Field("sound", checkFlag))),
		play.Field("notifyKey", checkNotifyKey),
	)),
	play.Field("vipInfo", play.Anything),
	play.Field("extra", extraFields),
)

var pushTimeFields = play.Object(play.Field("offLine", checkFlag), play.Field("validTime", play.Integer(1, 72, codeParam)))

var extraFields = play.Object(
	play.Field("callback", play.BytesAtMost(128, codeParam)),
	play.Field("callback.param", play.BytesAtMost(64, codeParam)),
	play.Field("callback.type", checkReceiptType),
)

var passThroughFields = play.Object(
	play.Field("title", play.Text(32, codeParam)),
	play.Field("content", play.Text(2000, codeParam)),
	play.Field("pushTimeInfo", pushTimeFields),
	play.Field("extra", extraFields),
)

// checkNotification checks a notification.
func checkNotification(p *play.Findings, root map[string]any, callbacks []string) {
	notificationFields(p, "", root)
	for _, name := range []string{"title", "content"} {
		if !play.Filled(play.Inside(root, "noticeBarInfo"), name) {
			p.Wrong("noticeBarInfo."+name, "is missing", codeMissing)
		}
	}
	click := play.Inside(root, "clickTypeInfo")
	switch click["clickType"] {
	case json.Number("1"):
		if !play.Filled(click, "activity") {
			p.Wrong("clickTypeInfo.activity", "is missing: clickType 1 needs it", codeMissing)
		}
	case json.Number("2"):
		if !play.Filled(click, "url") {
			p.Wrong("clickTypeInfo.url", "is missing: clickType 2 needs it", codeMissing)
		}
	case json.Number("3"):
		p.Wrong("clickTypeInfo.clickType", "3 must no longer be used", "")
	}
	checkTogether(p, root, callbacks)
}

// checkPassThrough checks a pass-through message.
func checkPassThrough(p *play.Findings, root map[string]any, callbacks []string) {
	passThroughFields(p, "", root)
	if !play.Filled(root, "content") {
		p.Wrong("content", "is missing", codeMissing)
	}
	checkTogether(p, root, callbacks)
}

// checkTogether checks what all messages have.
func checkTogether(p *play.Findings, root map[string]any, callbacks []string) {
	waiting := play.Inside(root, "pushTimeInfo")
	if off := waiting["offLine"]; (off == json.Number("1") || off == true) && waiting["validTime"] == nil {
		p.Wrong("pushTimeInfo.validTime", "is missing: offLine 1 needs it", codeMissing)
	}
	if url, ok := play.Inside(root, "extra")["callback"].(string); ok && len(callbacks) > 0 && !slices.Contains(callbacks, url) {
		p.Wrong("extra.callback", "is not registered in the console", codeParam)
	}
}

func checkFlag(p *play.Findings, path string, v any) {
	if v != json.Number("0") && v != json.Number("1") && v != true && v != false {
		p.Wrong(path, "is not 0 or 1, false or true", codeParam)
	}
}

func checkReceiptType(p *play.Findings, path string, v any) {
	s := fmt.Sprint(v)
	if n, err := strconv.Atoi(s); err != nil || n < 1 || n > 3 {
		p.Wrong(path, "is not 1, 2 or 3", codeParam)
	}
}

var notifyKeyForm = regexp.MustCompile(`^[0-9A-Za-z_-]{1,8}$`)

func checkNotifyKey(p *play.Findings, path string, v any) {
	s, ok := v.(string)
	switch {
	case !ok:
		p.MustBe(path, "a string")
	case s != "" && !notifyKeyForm.MatchString(s):
		p.Wrong(path, "is not 1 to 8 letters, digits, - and _", codeParam)
	}
}
