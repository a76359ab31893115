package simulator

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Xiaomi's push server API, from
// https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1559 (fields),
// pId=1560 (codes) and pId=1656 (quotas). The order of the checks, and which
// code answers which wrong field, is mostly not documented; ours goes from the
// outside of a request to its inside.

// XiaomiOptions are what Xiaomi's documents leave open.
type XiaomiOptions struct {
	// SchemeStatus is the HTTP status, without a body, of an Authorization that
	// does not begin with "key="; 0 means 200 with 21301.
	SchemeStatus int
	// CamelBad spells bad_regids as bad_regIds, as one client reads it.
	CamelBad bool
	// ReasonOnSuccess adds "reason":"Success", as was seen live.
	ReasonOnSuccess bool
	// ManySilent leaves rejected tokens unnamed when every token has its own message.
	ManySilent bool
	// ManyMost is how many messages one request may hold; 0 means 1,000.
	ManyMost int
	// DayQuota is how many messages an app may send on a day in Beijing, all
	// channels together; 0 means no limit. A request that begins under it passes
	// whole, unless every token has its own message: then those over it are
	// thrown away, and counted by channel.
	DayQuota int
	// Channels are the only channel ids that are known; none means that any is.
	Channels []string
	// CallbackParam is the longest extra.callback.param in bytes; 0 means 64.
	CallbackParam int
}

// Texts and reasons by code. What no document quotes is worded here.
var xiaomiCodes = map[string]struct{ description, reason string }{
	"-1":     {"未知错误", "unknown error"},
	"1":      {"内部错误", "internal error"},
	"10001":  {"系统错误", "system error"},
	"10002":  {"系统繁忙", "system busy"},
	"10003":  {"远程服务错误", "remote service error"},
	"10008":  {"参数错误，请参考API文档", "parameter error"},
	"10012":  {"非法请求", "illegal request"},
	"10016":  {"缺失必选参数", "required parameter is missing"},
	"10017":  {"参数值非法", "illegal parameter value"},
	"10027":  {"应用的API调用太频繁", "too many calls"},
	"10031":  {"应用在黑名单中，禁止发送消息", "AppId(id=2882303761520086841) in the blacklist, forbid to send messages"},
	"20301":  {"发送消息失败", "No valid targets!"},
	"21301":  {"认证失败", "Invalid application secret."},
	"22022":  {"应用程序package name不合法", "illegal package name"},
	"27001":  {"channel相关信息不匹配", "invalid channel info!"},
	"65011":  {"未提供参数", "Title or Description is empty!"},
	"65014":  {"键值对数目太多", "too many extras"},
	"65015":  {"键值对总长度太长", "extras are too long"},
	"65036":  {"Callback参数太长", "callback param is too long"},
	"65038":  {"Callback url非法", "illegal callback url"},
	"70012":  {"JobKey格式不合法", "illegal jobkey"},
	"200001": {"推送数量超过当日限额。限制说明请参见“每日推送数量限制”。", "exceed quota, quota: 50000, have acked: 50001"},
	"200002": {"推送QPS超过限额。限制说明请参见“推送速率QPS限制”。", ""},
}

func xiaomi(o Options) vendor {
	x := xiaomiPlayer{o.Xiaomi, &xiaomiDay{}, &counts{}}
	send := func(pattern string) endpoint {
		return endpoint{name: "send", pattern: pattern, open: x.openSend, handle: x.send, success: x.success, sink: true}
	}
	return vendor{
		name:     "xiaomi",
		envelope: x.envelope,
		endpoints: []endpoint{
			send("/v2/message/regid"),
			send("/v3/message/regid"),
			send("/v4/message/regid"),
			{name: "many", pattern: "/v2/multi_messages/regids", open: x.openMany, handle: x.many, success: x.success, sink: true},
		},
	}
}

type xiaomiPlayer struct {
	XiaomiOptions
	day       *xiaomiDay
	displayed *counts // of app, jobkey and token
}

// show leaves out the tokens whose phones had a message with the same jobkey: the
// vendor takes it, and the phone shows the first one only. jobkey answers the
// token's, "" for none.
// https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1559
func (x xiaomiPlayer) show(c *call, jobkey func(i int) string) {
	for i := range c.tokens {
		if key := jobkey(i); key != "" && !c.batch.dead[i] && !x.displayed.first(c.batch.hashes[i], c.app+" "+key) {
			c.swallow(i)
		}
	}
}

// jobkeyOf is the jobkey of a message, "" if it has none.
func jobkeyOf(message map[string]any) string {
	key, _ := inside(message, "extra")["jobkey"].(string)
	return key
}

// xiaomiAnswer is every answer, good or bad. The code is a number.
type xiaomiAnswer struct {
	Result      string      `json:"result"`
	Reason      string      `json:"reason,omitempty"`
	TraceID     string      `json:"trace_id"`
	Code        int         `json:"code"`
	Data        *xiaomiData `json:"data,omitempty"` // failures have none
	Description string      `json:"description"`
	Info        string      `json:"info,omitempty"`
}

// xiaomiData has strings for numbers, as the vendor does.
type xiaomiData struct {
	ID        string `json:"id"`
	Bad       string `json:"bad_regids,omitempty"`
	CamelBad  string `json:"bad_regIds,omitempty"`
	OverQuota string `json:"channel_exceed_quota,omitempty"`
	DayAcked  string `json:"day_acked"`
	DayQuota  string `json:"day_quota"`
}

func (a xiaomiAnswer) answer() answer {
	body, _ := json.Marshal(a) // strings and numbers always marshal
	return answer{contentType: "application/json;charset=UTF-8", body: body}
}

// envelope answers a code: always under HTTP 200. A slash and anything behind
// the code, like 20301/other, takes its reason away.
func (x xiaomiPlayer) envelope(c *call, code string) answer {
	code, _, unreasoned := strings.Cut(code, "/")
	number, err := strconv.Atoi(code)
	switch {
	case err != nil:
		number = -1
	case number == 0:
		return x.success(c)
	}
	text := xiaomiCodes[code]
	if unreasoned {
		text.reason = "Message store is not available."
	}
	return xiaomiAnswer{Result: "error", Reason: text.reason, TraceID: "Xcm" + c.xiaomiSerial() + "Nt", Code: number, Description: text.description}.answer()
}

func (x xiaomiPlayer) success(c *call) answer { return x.accepted(c, nil, "") }

// accepted is a success that may leave tokens and messages out.
func (x xiaomiPlayer) accepted(c *call, bad [][]byte, over string) answer {
	serial := c.xiaomiSerial()
	data := &xiaomiData{ID: "sdm" + serial + "KF", OverQuota: over, DayAcked: strconv.Itoa(x.day.of(c.app, c.now)), DayQuota: "50000"}
	if x.DayQuota > 0 {
		data.DayQuota = strconv.Itoa(x.DayQuota)
	}
	names := joined(bad)
	if x.CamelBad {
		data.CamelBad = names
	} else {
		data.Bad = names
	}
	a := xiaomiAnswer{
		Result: "ok", TraceID: "Xdm" + serial + "Ut", Data: data, Description: "成功",
		Info: fmt.Sprintf("Received push messages for %d REGID", len(c.tokens)),
	}
	if x.ReasonOnSuccess {
		a.Reason = "Success"
	}
	return a.answer()
}

func joined(tokens [][]byte) string {
	var s strings.Builder
	for i, t := range tokens {
		if i > 0 {
			s.WriteByte(',')
		}
		s.Write(t)
	}
	return s.String()
}

// xiaomiSerial looks like the digits within the document's ids.
func (c *call) xiaomiSerial() string {
	return fmt.Sprintf("%d%06d", c.now.UnixMilli(), c.sim.serial.Add(1)%1e6)
}
