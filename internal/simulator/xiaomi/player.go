// Package xiaomi plays Xiaomi's push server API, from
// https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1559 (fields),
// pId=1560 (codes) and pId=1656 (quotas).
//
// The order of the checks and the code for each wrong field are mostly not
// documented: here the order goes from the outside of a request to its inside.
//
// It knows no adapter and no other player.
package xiaomi

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/postrider/postrider/internal/simulator/play"
)

// Options choose where Xiaomi's documents leave something open.
type Options struct {
	// SchemeStatus is the HTTP status, without a body, of an Authorization that
	// does not begin with "key="; 0 means 200 with 21301.
	SchemeStatus int
	// CamelBad writes bad_regids as bad_regIds: one client expects that.
	CamelBad bool
	// ReasonOnSuccess adds "reason":"Success", as was seen.
	ReasonOnSuccess bool
	// ManySilent does not name rejected tokens when every token has its own message.
	ManySilent bool
	// DayQuota is how many messages an app may send on a day in Beijing, in all
	// channels together; 0 is no limit. A request that begins below it is accepted
	// whole, unless every token has its own message: then the messages over the
	// quota are dropped, and the answer counts them by channel.
	DayQuota int
	// Channels are the known channel ids; none means that every id is known.
	Channels []string
}

// codeTexts are texts and reasons by code. What no document quotes is our own.
var codeTexts = map[string]struct{ description, reason string }{
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

// New returns the player.
func New(o Options) play.Vendor {
	x := player{o, &play.DayCounter{}, &play.Counts{}}
	send := func(pattern string) play.Endpoint {
		return play.Endpoint{Name: "send", Pattern: pattern, Open: x.openSend, Handle: x.send, Success: x.success, Sink: true}
	}
	return play.Vendor{
		Name:     "xiaomi",
		Envelope: x.envelope,
		Receipts: receipts,
		Endpoints: []play.Endpoint{
			send("/v2/message/regid"),
			send("/v3/message/regid"),
			send("/v4/message/regid"),
			{Name: "many", Pattern: "/v2/multi_messages/regids", Open: x.openMany, Handle: x.many, Success: x.success, Sink: true},
		},
	}
}

// player is Xiaomi with what it remembers.
type player struct {
	Options
	day       *play.DayCounter // messages, by app
	displayed *play.Counts     // by token, app and jobkey
}

// show swallows the message of tokens that had one with the same jobkey: the vendor
// accepts it, and the device shows only the first. jobkey returns the key for a
// token, "" for none.
// https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1559
func (x player) show(c *play.Call, jobkey func(i int) string) {
	for i := range c.Tokens {
		if key := jobkey(i); key != "" && !c.Rejected(i) && !x.displayed.First(c.Hash(i), c.App+" "+key) {
			c.Swallow(i)
		}
	}
}

// jobkeyOf is the jobkey of a message, "" if it has none.
func jobkeyOf(message map[string]any) string {
	key, _ := play.Inside(message, "extra")["jobkey"].(string)
	return key
}

// reply is every answer, good or bad. The code is a number.
type reply struct {
	Result      string     `json:"result"`
	Reason      string     `json:"reason,omitempty"`
	TraceID     string     `json:"trace_id"`
	Code        int        `json:"code"`
	Data        *replyData `json:"data,omitempty"` // failures have none
	Description string     `json:"description"`
	Info        string     `json:"info,omitempty"`
}

// replyData has strings for numbers, as the vendor does.
type replyData struct {
	ID        string `json:"id"`
	Bad       string `json:"bad_regids,omitempty"`
	CamelBad  string `json:"bad_regIds,omitempty"`
	OverQuota string `json:"channel_exceed_quota,omitempty"`
	DayAcked  string `json:"day_acked"`
	DayQuota  string `json:"day_quota"`
}

func (a reply) answer() play.Answer {
	body, _ := json.Marshal(a) // strings and numbers always marshal
	return play.Answer{ContentType: "application/json;charset=UTF-8", Body: body}
}

// envelope answers a code, always with HTTP 200. A code with a slash and a text
// after it, like 20301/other, has another reason.
func (x player) envelope(c *play.Call, code string) play.Answer {
	code, _, otherReason := strings.Cut(code, "/")
	number, err := strconv.Atoi(code)
	switch {
	case err != nil:
		number = -1
	case number == 0:
		return x.success(c)
	}
	text := codeTexts[code]
	if otherReason {
		text.reason = "Message store is not available."
	}
	return reply{Result: "error", Reason: text.reason, TraceID: "Xcm" + serialDigits(c) + "Nt", Code: number, Description: text.description}.answer()
}

func (x player) success(c *play.Call) play.Answer { return x.accepted(c, nil, "") }

// accepted is a success, with the tokens that were rejected and how many messages
// were over the quota.
func (x player) accepted(c *play.Call, bad [][]byte, over string) play.Answer {
	serial := serialDigits(c)
	data := &replyData{ID: "sdm" + serial + "KF", OverQuota: over, DayAcked: strconv.Itoa(x.day.Used(c.App, c.Now)), DayQuota: "50000"}
	if x.DayQuota > 0 {
		data.DayQuota = strconv.Itoa(x.DayQuota)
	}
	names := joined(bad)
	if x.CamelBad {
		data.CamelBad = names
	} else {
		data.Bad = names
	}
	a := reply{
		Result: "ok", TraceID: "Xdm" + serial + "Ut", Data: data, Description: "成功",
		Info: fmt.Sprintf("Received push messages for %d REGID", len(c.Tokens)),
	}
	if x.ReasonOnSuccess {
		a.Reason = "Success"
	}
	return a.answer()
}

// joined is the tokens with commas.
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

// serialDigits has the form of the digits in the document's ids.
func serialDigits(c *play.Call) string {
	return fmt.Sprintf("%d%06d", c.Now.UnixMilli(), c.Serial()%1e6)
}
