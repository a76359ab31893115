package simulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// Tencent IM, from https://cloud.tencent.com/document/product/269/108906 (push
// to accounts), /269/1612 (chat messages to many), /269/133879 (OfflinePushInfo)
// and /269/1671 (codes). The order of the checks, and much of which code answers
// which wrong field, is not documented; ours goes from the outside of a request
// to its inside.

// TIMOptions are what Tencent's documents leave open.
type TIMOptions struct {
	// Admins are the accounts that may sign requests; none means administrator.
	Admins []string
	// AllListed answers a push none of whose accounts exists with OK and a full
	// ErrorList; else with FAIL and 90012, as chat messages do.
	AllListed bool
	// PlainOK leaves out of a chat message's answer which accounts do not exist,
	// as one client saw it, unless none does.
	PlainOK bool
	// NoCode answers a chat message none of whose accounts exists with FAIL, an
	// ErrorList and no ErrorCode, as one page shows it.
	NoCode bool
}

// Texts by code. What no document quotes is worded here.
var timCodes = map[string]string{
	"60002": "http request is invalid",
	"60003": "contenttype must be json",
	"60006": "invalid sdkappid",
	"60007": "frequency limit",
	"60010": "request needs administrator",
	"60012": "sdkappid is missing",
	"70001": "UserSig is expired",
	"70002": "UserSig is empty",
	"70003": "UserSig is invalid",
	"70009": "UserSig was made with another key",
	"70013": "UserSig identifier does not match",
	"70014": "UserSig sdkappid does not match",
	"70020": "sdkappid does not exist",
	"70107": "account does not exist",
	"90001": "Fail to Parse json data of body, Please check it",
	"90002": "invalid MsgBody",
	"90003": "invalid To_Account",
	"90005": "invalid MsgRandom",
	"90007": "MsgBody is not an array",
	"90008": "invalid From_Account",
	"90010": "invalid message element",
	"90011": "too many accounts in To_Account",
	"90012": "invalid To_Account",
	"90026": "MsgLifeTime is over 7 days",
	"90043": "invalid OfflinePushInfo",
	"90045": "push service is not open",
	"90047": "over the daily limit",
	"90057": "invalid field",
	"91000": "internal error",
	"93000": "request is over 12k",
}

func tim(o Options) vendor {
	t := timPlayer{o.TIM, &timRandoms{seen: map[string]timRandom{}}}
	send := func(path string, a timAPI) endpoint {
		return endpoint{
			name: "send", pattern: "/v4/" + path, open: t.open, sink: true,
			handle:  func(c *call) answer { return t.send(c, a) },
			success: func(c *call) answer { return t.accepted(c, a, nil) },
		}
	}
	return vendor{
		name:      "tim",
		envelope:  t.envelope,
		endpoints: []endpoint{send("timpush/batch", timPush), send("openim/batchsendmsg", timChat)},
	}
}

type timPlayer struct {
	TIMOptions
	randoms *timRandoms
}

// timAPI is what differs between the two endpoints.
type timAPI struct {
	chat   bool
	fields check
	random string // the code for a wrong MsgRandom
	info   string // the code for a missing OfflinePushInfo; "" when it may be missing
}

// timEntry is one account that failed.
type timEntry struct {
	Account string `json:"To_Account"`
	Code    int    `json:"ErrorCode"`
}

// timAnswer is every answer. TaskID belongs to pushes and MsgKey to chat messages.
type timAnswer struct {
	Status string     `json:"ActionStatus"`
	Info   string     `json:"ErrorInfo"`
	Code   *int       `json:"ErrorCode,omitempty"`
	TaskID string     `json:"TaskId,omitempty"`
	MsgKey string     `json:"MsgKey,omitempty"`
	List   []timEntry `json:"ErrorList,omitempty"`
}

func (a timAnswer) answer() answer {
	body, _ := json.Marshal(a) // strings and numbers always marshal
	return answer{contentType: "application/json", body: body}
}

// envelope answers a code, always under HTTP 200.
func (t timPlayer) envelope(c *call, code string) answer { return t.fail(c, code, timCodes[code]) }

func (t timPlayer) fail(c *call, code, text string) answer {
	n, err := strconv.Atoi(code)
	switch {
	case err != nil:
		n = 91000
	case n == 0:
		return c.e.success(c)
	}
	return timAnswer{Status: "FAIL", Info: text, Code: &n}.answer()
}

// accepted is a success that may leave accounts out: which are named, the push
// service does not even call an error.
func (t timPlayer) accepted(c *call, a timAPI, missing []timEntry) answer {
	zero, serial := 0, c.sim.serial.Add(1)
	s := timAnswer{Status: "OK", Code: &zero, List: missing}
	if !a.chat {
		s.TaskID = fmt.Sprintf("batch_%08x_537529d8_%x", c.now.Unix(), serial)
		return s.answer()
	}
	s.MsgKey = fmt.Sprintf("%d_903762_%d", serial, c.now.Unix())
	switch {
	case len(missing) > 0 && t.PlainOK:
		s.List = nil
	case len(missing) > 0:
		s.Status = "SomeError"
	}
	return s.answer()
}

// nobody is the answer when no account exists.
func (t timPlayer) nobody(c *call, a timAPI, missing []timEntry) answer {
	switch {
	case !a.chat && t.AllListed:
		return t.accepted(c, a, missing)
	case a.chat && t.NoCode:
		return timAnswer{Status: "FAIL", List: missing}.answer()
	}
	return t.envelope(c, "90012")
}

// admin tells whether an account may sign requests.
func (t timPlayer) admin(identifier string) bool {
	admins := t.Admins
	if len(admins) == 0 {
		admins = []string{"administrator"}
	}
	return slices.Contains(admins, identifier)
}
