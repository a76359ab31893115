// Package tim plays Tencent IM, from
// https://cloud.tencent.com/document/product/269/108906 (push to accounts),
// /269/1612 (chat messages to many), /269/133879 (OfflinePushInfo) and /269/1671
// (codes).
//
// The order of the checks, and the code for many wrong fields, are not documented:
// here the order goes from the outside of a request to its inside.
//
// It knows no adapter and no other player.
package tim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/postrider/postrider/internal/simulator/play"
)

// Options choose where Tencent's documents leave something open.
type Options struct {
	// Admins are the accounts that may sign requests; none means administrator.
	Admins []string
	// AllListed answers a push to accounts that do not exist with OK and an ErrorList
	// of all of them; else with FAIL and 90012, as for chat messages.
	AllListed bool
	// PlainOK does not name the missing accounts in the answer to a chat message, as
	// one client saw it, unless all are missing.
	PlainOK bool
	// NoCode answers a chat message to accounts that do not exist with FAIL, an
	// ErrorList and no ErrorCode, as one page shows it.
	NoCode bool
}

// codeTexts are texts by code. Texts that no document quotes are our own.
var codeTexts = map[string]string{
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

// New returns the player.
func New(o Options) play.Vendor {
	t := player{o, &randoms{seen: map[string]randomUse{}}}
	send := func(path string, a api) play.Endpoint {
		return play.Endpoint{
			Name: "send", Pattern: "/v4/" + path, Open: t.open, Sink: true,
			Handle:  func(c *play.Call) play.Answer { return t.send(c, a) },
			Success: func(c *play.Call) play.Answer { return t.accepted(c, a, nil) },
		}
	}
	return play.Vendor{
		Name:      "tim",
		Envelope:  t.envelope,
		Receipts:  receipts,
		Endpoints: []play.Endpoint{send("timpush/batch", pushAPI), send("openim/batchsendmsg", chatAPI)},
	}
}

type player struct {
	Options
	randoms *randoms
}

// api is what differs between the two endpoints.
type api struct {
	chat   bool
	fields play.Check
	random string // the code for a wrong MsgRandom
	info   string // the code for a missing OfflinePushInfo; "" when it may be missing
}

// missingAccount is one account that failed.
type missingAccount struct {
	Account string `json:"To_Account"`
	Code    int    `json:"ErrorCode"`
}

// reply is every answer. TaskID belongs to pushes and MsgKey to chat messages.
type reply struct {
	Status string           `json:"ActionStatus"`
	Info   string           `json:"ErrorInfo"`
	Code   *int             `json:"ErrorCode,omitempty"`
	TaskID string           `json:"TaskId,omitempty"`
	MsgKey string           `json:"MsgKey,omitempty"`
	List   []missingAccount `json:"ErrorList,omitempty"`
}

func (a reply) answer() play.Answer {
	body, _ := json.Marshal(a) // strings and numbers always marshal
	return play.Answer{ContentType: "application/json", Body: body}
}

// envelope answers a code, always with HTTP 200.
func (t player) envelope(c *play.Call, code string) play.Answer {
	return t.fail(c, code, codeTexts[code])
}

func (t player) fail(c *play.Call, code, text string) play.Answer {
	n, err := strconv.Atoi(code)
	switch {
	case err != nil:
		n = 91000
	case n == 0:
		return c.Success()
	}
	return reply{Status: "FAIL", Info: text, Code: &n}.answer()
}

// accepted is a success, with the accounts that do not exist. The push service
// answers OK in that case too.
func (t player) accepted(c *play.Call, a api, missing []missingAccount) play.Answer {
	zero, serial := 0, c.Serial()
	s := reply{Status: "OK", Code: &zero, List: missing}
	if !a.chat {
		s.TaskID = fmt.Sprintf("batch_%08x_537529d8_%x", c.Now.Unix(), serial)
		return s.answer()
	}
	s.MsgKey = fmt.Sprintf("%d_903762_%d", serial, c.Now.Unix())
	switch {
	case len(missing) > 0 && t.PlainOK:
		s.List = nil
	case len(missing) > 0:
		s.Status = "SomeError"
	}
	return s.answer()
}

// noneExists is the answer when no account exists.
func (t player) noneExists(c *play.Call, a api, missing []missingAccount) play.Answer {
	switch {
	case !a.chat && t.AllListed:
		return t.accepted(c, a, missing)
	case a.chat && t.NoCode:
		return reply{Status: "FAIL", List: missing}.answer()
	}
	return t.envelope(c, "90012")
}

// admin reports whether an account may sign requests.
func (t player) admin(identifier string) bool {
	admins := t.Admins
	if len(admins) == 0 {
		admins = []string{"administrator"}
	}
	return slices.Contains(admins, identifier)
}
