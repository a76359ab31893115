// Package vivo plays vivo Push's server API, from
// https://dev.vivo.com.cn/documentCenter/doc/362.
//
// The order of the checks is mostly not documented: here it goes from the outside
// of a request to its inside.
//
// It knows no adapter and no other player.
package vivo

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/postrider/postrider/internal/simulator/play"
)

// Options choose where vivo's documents leave something open.
type Options struct {
	// DaySaves is how many messages an app may save on a day in Beijing; 0 means
	// 1,000, as the documents say, less than 0 is no limit.
	DaySaves int
	// DaySystem is how many system messages an app may send on such a day; 0 is no
	// limit.
	DaySystem int
	// Hours refuses operational messages between 23:00 and 07:00 in Beijing with
	// 10071.
	Hours bool
	// Width counts wide characters of title and content twice, as older documents do.
	Width bool
	// AllInvalidUnnamed does not name the tokens when all of a list are invalid, and
	// AllInvalidSucceeds names them with result 0.
	AllInvalidUnnamed, AllInvalidSucceeds bool
	// InvalidSucceeds names the invalid token of a send with result 0.
	InvalidSucceeds bool
}

// codeTexts are texts by code, mostly the document's own.
var codeTexts = map[string]string{
	"0":     "请求成功",
	"10000": "权限认证失败",
	"10040": "资源已达上限，稍后重试",
	"10045": "应用审核中不可发送正式消息",
	"10050": "alias和regId 不能都为空",
	"10054": "notifyType 不合法",
	"10055": "title 不能为空",
	"10056": "title 长度不能超过40个字符",
	"10057": "content 不能为空",
	"10058": "content 长度不能超过100个字符",
	"10059": "timeToLive 不合法",
	"10060": "skipType 不合法",
	"10061": "skipType = 2, skipContent 不能为空",
	"10062": "skipType = 2, skipContent 不能超过1000个字符",
	"10063": "skipType = 3, skipContent 不能为空",
	"10064": "skipType = 3, skipContent 不能超过1024个字符",
	"10065": "networkType 不合法",
	"10066": "自定义key和Value键值对个数不能超过10个",
	"10067": "自定义key和value键值对不合法",
	"10068": "skipType = 4, skipContent 不能为空",
	"10069": "skipType = 4, skipContent 不能超过1024个字符",
	"10070": "运营消息发送量总量超出限制",
	"10071": "超出发送时间允许范围",
	"10072": "推送速度过，请稍后再试",
	"10073": "系统消息发送量总量超出限制。系统消息量级申请，请参见：系统消息量级说明",
	"10082": "系统消息未开通",
	"10092": "profileId长度超过限制",
	"10093": "获取鉴权码速度过快",
	"10094": "鉴权码与请求体对应的appId不一致",
	"10095": "notifyId非法，值范围：1~2147483647",
	"10096": "category错误，传值参见：二级分类标准 中category说明",
	"10097": "category与classification不对应",
	"10102": "服务器端未知异常",
	"10106": "auditReview参数错误",
	"10150": "aliases 和 regIds 不能都为空",
	"10151": "taskId 不能为空",
	"10152": "taskId 不合法",
	"10153": "regIds 个数不在指定范围[2-1000]",
	"10155": "消息不存在或已过期",
	"10206": "sign 不合法",
	"10207": "timestamp 不合法",
	"10252": "saveListPayload 日调用次数超过限制",
	"10302": "regId 不合法",
	"10311": "设备当前不可推送",
	"10352": "requestId 不能为空",
	"10353": "requestId 长度不能超过64个字符",
}

// New returns the player.
func New(o Options) play.Vendor {
	p := &player{Options: o, saved: play.NewStoredMessages(), accepted: map[xxh3.Uint128]*acceptedRequest{}}
	return play.Vendor{
		Name:     "vivo",
		Envelope: p.envelope,
		Receipts: receipts,
		Endpoints: []play.Endpoint{
			{Name: "token", Pattern: "/message/auth", Secret: true, Open: p.openToken, Handle: p.token, Success: func(*play.Call) play.Answer { return p.granted("none") }},
			{Name: "send", Pattern: "/message/send", Open: p.openSend, Handle: p.send, Success: p.taskDone, Sink: true},
			{Name: "save", Pattern: "/message/saveListPayload", Open: p.openSend, Handle: p.save, Success: p.taskDone},
			{Name: "list", Pattern: "/message/pushToList", Open: p.openSend, Handle: p.list, Success: p.listDone, Sink: true},
		},
	}
}

// player is vivo with what it remembers.
type player struct {
	Options
	saved *play.StoredMessages
	day   play.DayCounter // messages by app and bucket, saves by app

	mu       sync.Mutex
	accepted map[xxh3.Uint128]*acceptedRequest // by app, endpoint and requestId
}

// acceptedRequest is a request that was accepted.
type acceptedRequest struct {
	content uint64
	taskID  string
}

// again finds an accepted request with the same requestId. Another content with the
// same requestId is a violation.
func (v *player) again(c *play.Call, requestID string, content uint64) (taskID string, twice bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	old := v.accepted[requestKey(c, requestID)]
	if old == nil {
		return "", false
	}
	if old.content != content {
		c.Violate("requestId: was used for another request")
	}
	return old.taskID, true
}

// remember keeps a request that was accepted.
func (v *player) remember(c *play.Call, requestID, taskID string, content uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.accepted[requestKey(c, requestID)] = &acceptedRequest{content, taskID}
}

func requestKey(c *play.Call, requestID string) xxh3.Uint128 {
	return xxh3.HashString128(c.App + " " + c.EndpointName() + " " + requestID)
}

// reply is every answer, good or bad.
type reply struct {
	Result    json.Number   `json:"result"`
	Desc      string        `json:"desc"`
	TaskID    string        `json:"taskId,omitempty"`
	AuthToken string        `json:"authToken,omitempty"`
	Invalid   *invalidUser  `json:"invalidUser,omitempty"`
	Invalids  []invalidUser `json:"invalidUsers,omitempty"`
}

// invalidUser is a token that was refused. The vendor does not write userId.
type invalidUser struct {
	Status int    `json:"status"`
	UserID string `json:"userid"`
}

func (a reply) answer() play.Answer {
	if a.Desc = codeTexts[string(a.Result)]; a.Desc == "" {
		a.Desc = "Code " + string(a.Result)
	}
	body, _ := json.Marshal(a) // strings and numbers always marshal
	return play.Answer{ContentType: "application/json;charset=UTF-8", Body: body}
}

// envelope answers a code, always with HTTP 200.
func (v *player) envelope(c *play.Call, code string) play.Answer {
	n, err := strconv.Atoi(code)
	switch {
	case err != nil:
		n = 10102
	case n == 0:
		return c.Success()
	}
	return reply{Result: json.Number(strconv.Itoa(n))}.answer()
}

func (v *player) taskDone(c *play.Call) play.Answer {
	return reply{Result: "0", TaskID: newTaskID(c)}.answer()
}

func (v *player) listDone(*play.Call) play.Answer { return reply{Result: "0"}.answer() }

// newTaskID has the form of the document's: digits.
func newTaskID(c *play.Call) string {
	return strconv.FormatInt(c.Now.UnixMilli(), 10) + strconv.FormatUint(c.Serial()%1e6+1e6, 10)
}

// grants are ten access tokens a second, each valid for a day. An app may have
// several.
var grants = play.GrantLimit{Max: 10, Every: time.Second, Life: 24 * time.Hour}

// maxSaves is the limit of saves a day, 0 for none.
func (v *player) maxSaves() int {
	switch {
	case v.DaySaves < 0:
		return 0
	case v.DaySaves == 0:
		return 1000
	}
	return v.DaySaves
}

// codeSavesUsedUp answers an app that saved too many messages. Newer documents
// have 10070.
const codeSavesUsedUp = "10252"
