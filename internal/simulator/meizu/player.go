// Package meizu plays Meizu's Flyme push, from
// https://github.com/MEIZUPUSH/PushAPI and, for 518 and the forms of answers, from
// https://github.com/MEIZUPUSH/JavaSdk.
//
// The order of the checks and the code for each wrong field are not documented:
// here the order goes from the outside of a request to its inside, with 110004 for
// what is missing and 1005 for what is wrong.
//
// It knows no adapter and no other player.
package meizu

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/postrider/postrider/internal/simulator/play"
)

// Options choose where Meizu's documents leave something open.
type Options struct {
	// TopInvalid answers a request whose only push id is invalid with 110002 as the
	// answer's code, as in the document since 2025; else the push id is in value.
	TopInvalid bool
	// NumberCodes writes the answer's code as a number.
	NumberCodes bool
	// NoPassThrough answers pass-through messages with 110053: the vendor is ending
	// this service.
	NoPassThrough bool
	// Callbacks are the addresses for receipts that the app registered; none means
	// that every address is registered.
	Callbacks []string
}

// codeTexts are texts by the answer's code, from the document's table.
var codeTexts = map[string]string{
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

// tokenPrefixes are the codes of push ids by their prefix, in addition to "bad-".
var tokenPrefixes = []struct{ prefix, code string }{
	{"malformed-", "110003"},
	{"mute-", "110010"}, // switched off; as the answer's code it is flow control
	{"denied-", "201"},
	{"broken-", "501"},
	{"failed-", "513"},
	{"slow-", "518"},
	{"busy-", "519"},
	{"folded-", "520"},
	{"full-", "110011"},
}

// New returns the player.
func New(o Options) play.Vendor {
	m := player{o}
	send := func(path string, check func(*play.Findings, map[string]any, []string)) play.Endpoint {
		return play.Endpoint{
			Name: "send", Pattern: "/garcia/api/server/push/" + path + "/pushByPushId", Open: m.open, Success: m.success, Sink: true,
			Handle: func(c *play.Call) play.Answer { return m.send(c, check) },
		}
	}
	return play.Vendor{
		Name:      "meizu",
		Envelope:  m.envelope,
		Receipts:  receipts,
		Endpoints: []play.Endpoint{send("varnished", checkNotification), send("unvarnished", checkPassThrough)},
	}
}

type player struct{ Options }

// envelope answers a code, always with HTTP 200. In failures value is a string, and
// there is no message id.
func (m player) envelope(c *play.Call, code string) play.Answer {
	if code == "200" {
		return m.success(c)
	}
	return m.say(struct {
		Code     any    `json:"code"`
		Message  string `json:"message"`
		Value    string `json:"value"`
		Redirect string `json:"redirect"`
	}{m.code(code), codeTexts[code], "", ""})
}

func (m player) success(c *play.Call) play.Answer { return m.partial(c, nil) }

// partial is a success with the push ids that failed, by code.
func (m player) partial(c *play.Call, failed map[string][]string) play.Answer {
	if failed == nil {
		failed = map[string][]string{}
	}
	return m.say(struct {
		Code    any                 `json:"code"`
		Message string              `json:"message"`
		Value   map[string][]string `json:"value"`
		MsgID   string              `json:"msgId"`
	}{m.code("200"), "", failed, messageID(c)})
}

func (m player) say(v any) play.Answer {
	body, _ := json.Marshal(v) // strings and numbers always marshal
	return play.Answer{ContentType: "application/json; charset=UTF-8", Body: body}
}

func (m player) code(code string) any {
	if n, err := strconv.Atoi(code); err == nil && m.NumberCodes {
		return n
	}
	return code
}

// messageID has the form of one that was seen: NS20190704153256153_0_11579908_1_3.
func messageID(c *play.Call) string {
	at := c.Now.UTC()
	return fmt.Sprintf("NS%s%03d_0_%d_1_3", at.Format("20060102150405"), at.Nanosecond()/1e6, c.Serial())
}

// onlyCode returns the code if there is only one.
func onlyCode(failed map[string][]string) (code string, only bool) {
	codes := slices.Collect(maps.Keys(failed))
	if len(codes) != 1 {
		return "", false
	}
	return codes[0], true
}
