package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Meizu's Flyme push, from https://github.com/MEIZUPUSH/PushAPI and, for 518 and
// the forms that answers take, from https://github.com/MEIZUPUSH/JavaSdk. Which
// code answers which wrong field is not documented; ours goes from the outside
// of a request to its inside, with 110004 for what is missing and 1005 for what
// is wrong.

// MeizuOptions are what Meizu's documents leave open.
type MeizuOptions struct {
	// TopInvalid answers a request whose only push id is invalid with 110002 at
	// the top, where the document lists it since 2025; else it is in value.
	TopInvalid bool
	// NumberCodes writes the code at the top as a number.
	NumberCodes bool
	// NoPassThrough answers pass-through messages with 110053: the vendor is
	// closing them down.
	NoPassThrough bool
	// Callbacks are the only addresses for receipts that the app registered;
	// none means that any is.
	Callbacks []string
}

// Texts by code at the top, from the document's table.
var meizuCodes = map[string]string{
	"500":    "其他异常",
	"1001":   "系统错误",
	"1003":   "服务器忙",
	"1005":   "参数错误，请参考API文档",
	"1006":   "签名认证失败",
	"110000": "appId不合法",
	"110001": "appKey不合法",
	"110002": "pushId未注册",
	"110003": "pushId非法",
	"110004": "参数不能为空",
	"110009": "应用被加入黑名单",
	"110010": "应用请求频率超过限制",
	"110019": "超过每天推送次数",
	"110031": "packageName不合法",
	"110032": "非法的taskId",
	"110033": "非法的appSecret",
	"110051": "超过该应用的次数限制",
	"110053": "透传超过限制",
}

// meizuFates are what becomes of push ids by their prefix, beside "bad-".
var meizuFates = []struct{ prefix, code string }{
	{"malformed-", "110003"},
	{"mute-", "110010"}, // switched off; flow control when at the top
	{"denied-", "201"},
	{"broken-", "501"},
	{"failed-", "513"},
	{"slow-", "518"},
	{"busy-", "519"},
	{"folded-", "520"},
	{"full-", "110011"},
}

func meizu(o Options) vendor {
	m := meizuPlayer{o.Meizu}
	send := func(path string, check func(*probe, map[string]any, []string)) endpoint {
		return endpoint{
			name: "send", pattern: "/garcia/api/server/push/" + path + "/pushByPushId", open: m.open, success: m.success, sink: true,
			handle: func(c *call) answer { return m.send(c, check) },
		}
	}
	return vendor{
		name:      "meizu",
		envelope:  m.envelope,
		endpoints: []endpoint{send("varnished", meizuNotification), send("unvarnished", meizuPassThrough)},
	}
}

type meizuPlayer struct{ MeizuOptions }

// envelope answers a code at the top, always under HTTP 200. Failures have a
// string for a value, and no message id.
func (m meizuPlayer) envelope(c *call, code string) answer {
	if code == "200" {
		return m.success(c)
	}
	return m.say(struct {
		Code     any    `json:"code"`
		Message  string `json:"message"`
		Value    string `json:"value"`
		Redirect string `json:"redirect"`
	}{m.code(code), meizuCodes[code], "", ""})
}

func (m meizuPlayer) success(c *call) answer { return m.partial(c, nil) }

// partial is a success with the push ids that failed, by code.
func (m meizuPlayer) partial(c *call, failed map[string][]string) answer {
	if failed == nil {
		failed = map[string][]string{}
	}
	return m.say(struct {
		Code    any                 `json:"code"`
		Message string              `json:"message"`
		Value   map[string][]string `json:"value"`
		MsgID   string              `json:"msgId"`
	}{m.code("200"), "", failed, meizuMessageID(c)})
}

func (m meizuPlayer) say(v any) answer {
	body, _ := json.Marshal(v) // strings and numbers always marshal
	return answer{contentType: "application/json; charset=UTF-8", body: body}
}

func (m meizuPlayer) code(code string) any {
	if n, err := strconv.Atoi(code); err == nil && m.NumberCodes {
		return n
	}
	return code
}

// meizuMessageID looks like one that was seen: NS20190704153256153_0_11579908_1_3.
func meizuMessageID(c *call) string {
	at := c.now.UTC()
	return fmt.Sprintf("NS%s%03d_0_%d_1_3", at.Format("20060102150405"), at.Nanosecond()/1e6, c.sim.serial.Add(1))
}

// meizuOnly returns the code and tells whether it is the only one.
func meizuOnly(failed map[string][]string) (code string, only bool) {
	codes := slices.Collect(maps.Keys(failed))
	if len(codes) != 1 {
		return "", false
	}
	return codes[0], true
}
