package simulator

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/zeebo/xxh3"
)

// vivo Push's server API, from https://dev.vivo.com.cn/documentCenter/doc/362.
// The order of the checks is mostly not documented; ours goes from the outside
// of a request to its inside.

// VivoOptions are what vivo's documents leave open.
type VivoOptions struct {
	// SavedLife is how long a taskId may be used; 0 means as long as the
	// message's timeToLive.
	SavedLife time.Duration
	// DaySaves is how many messages an app may lay up on a day in Beijing; 0 means
	// the documented 1,000, less than 0 no limit.
	DaySaves int
	// DayOperational and DaySystem are how many messages of a classification an
	// app may send on such a day; 0 means no limit.
	DayOperational, DaySystem int
	// Hours refuses operational messages between 23:00 and 07:00 in Beijing with
	// 10071. Without it they pass.
	Hours bool
	// Width counts wide characters of title and content twice, as older documents do.
	Width bool
	// SaveQuotaCode answers an app that laid up too much; "" means 10252. Newer
	// documents have 10070.
	SaveQuotaCode string
	// AllInvalidUnnamed leaves out which tokens a list of invalid ones had, and
	// AllInvalidSucceeds lists them under result 0.
	AllInvalidUnnamed, AllInvalidSucceeds bool
	// InvalidSucceeds names the invalid token of a send under result 0.
	InvalidSucceeds bool
}

// Texts by code, mostly the document's own.
var vivoCodes = map[string]string{
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

func vivo(o Options) vendor {
	p := &vivoPlayer{VivoOptions: o.Vivo, shelf: newShelf(), day: &xiaomiDay{}, asked: map[xxh3.Uint128]*vivoAsked{}}
	return vendor{
		name:     "vivo",
		envelope: p.envelope,
		endpoints: []endpoint{
			{name: "token", pattern: "/message/auth", secret: true, open: p.openToken, handle: p.token, success: func(*call) answer { return p.granted("none") }},
			{name: "send", pattern: "/message/send", open: p.openSend, handle: p.send, success: p.taskDone, sink: true},
			{name: "save", pattern: "/message/saveListPayload", open: p.openSend, handle: p.save, success: p.taskDone},
			{name: "list", pattern: "/message/pushToList", open: p.openSend, handle: p.list, success: p.listDone, sink: true},
		},
	}
}

// vivoPlayer is vivo with what it remembers beyond the frame.
type vivoPlayer struct {
	VivoOptions
	shelf *shelf
	day   *xiaomiDay // by app and bucket

	mu    sync.Mutex
	asked map[xxh3.Uint128]*vivoAsked // by app, endpoint and requestId
}

// vivoAsked is a request that was accepted under its requestId.
type vivoAsked struct {
	content uint64
	taskID  string
}

// again finds an accepted request with the same requestId. There must be none
// with the same id and another content.
func (v *vivoPlayer) again(c *call, requestID string, content uint64) (taskID string, twice bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	old := v.asked[vivoKey(c, requestID)]
	if old == nil {
		return "", false
	}
	if old.content != content {
		c.violate("requestId: was used for another request")
	}
	return old.taskID, true
}

func (v *vivoPlayer) remember(c *call, requestID, taskID string, content uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked[vivoKey(c, requestID)] = &vivoAsked{content, taskID}
}

func vivoKey(c *call, requestID string) xxh3.Uint128 {
	return xxh3.HashString128(c.app + " " + c.e.name + " " + requestID)
}

// vivoAnswer is every answer, good or bad.
type vivoAnswer struct {
	Result    json.Number `json:"result"`
	Desc      string      `json:"desc"`
	TaskID    string      `json:"taskId,omitempty"`
	AuthToken string      `json:"authToken,omitempty"`
	Invalid   *vivoUser   `json:"invalidUser,omitempty"`
	Invalids  []vivoUser  `json:"invalidUsers,omitempty"`
}

// vivoUser is a token that was refused. The name of the second is not camelCase.
type vivoUser struct {
	Status int    `json:"status"`
	UserID string `json:"userid"`
}

func (a vivoAnswer) answer() answer {
	if a.Desc = vivoCodes[string(a.Result)]; a.Desc == "" {
		a.Desc = "Code " + string(a.Result)
	}
	body, _ := json.Marshal(a) // strings and numbers always marshal
	return answer{contentType: "application/json;charset=UTF-8", body: body}
}

// envelope answers a code: always under HTTP 200.
func (v *vivoPlayer) envelope(c *call, code string) answer {
	n, err := strconv.Atoi(code)
	switch {
	case err != nil:
		n = 10102
	case n == 0:
		return c.e.success(c)
	}
	return vivoAnswer{Result: json.Number(strconv.Itoa(n))}.answer()
}

func (v *vivoPlayer) taskDone(c *call) answer {
	return vivoAnswer{Result: "0", TaskID: c.vivoTaskID()}.answer()
}

func (v *vivoPlayer) listDone(*call) answer { return vivoAnswer{Result: "0"}.answer() }

// vivoTaskID looks like the document's: digits.
func (c *call) vivoTaskID() string {
	return strconv.FormatInt(c.now.UnixMilli(), 10) + strconv.FormatUint(c.sim.serial.Add(1)%1e6+1e6, 10)
}

// vivoGrants are ten access tokens a second, each good for a day. An app may
// own several.
var vivoGrants = grantLimit{most: 10, every: time.Second, life: 24 * time.Hour}

func (v *vivoPlayer) mostSaves() int {
	switch {
	case v.DaySaves < 0:
		return 0
	case v.DaySaves == 0:
		return 1000
	}
	return v.DaySaves
}

func (v *vivoPlayer) savesUsedUp() string {
	if v.SaveQuotaCode != "" {
		return v.SaveQuotaCode
	}
	return "10252"
}
