// Package honor plays HONOR Push, from
// https://developer.honor.com/cn/docs/11002/reference/downlink-message and the
// examples of https://my.oschina.net/u/5873522/blog/10140231.
//
// The order of the checks is not documented: here it goes from the outside of a
// request to its inside.
//
// It knows no adapter and no other player.
package honor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// Options choose where Honor's documents leave something open.
type Options struct {
	// MirrorStatus answers the codes 400 to 599 with the HTTP status of the same
	// number; else with 200. Code 403 has AuthStatus.
	MirrorStatus bool
	// AuthStatus is the HTTP status of code 403; 0 means 403.
	AuthStatus int
	// DenialStatus is the HTTP status of refused grants; 0 means 401.
	DenialStatus int
	// ListsUnderSuccess answers a partial failure with code 200.
	ListsUnderSuccess bool
	// NotSent answers a partial failure with sendResult false.
	NotSent bool
	// ListsUnderAllInvalid adds the lists to 80300007.
	ListsUnderAllInvalid bool
}

// codeTexts are texts by code. Texts that no document quotes are our own.
var codeTexts = map[string]string{
	"200":      "Success",
	"400":      "bad request",
	"403":      "forbidden",
	"404":      "not found",
	"500":      "internal error",
	"502":      "bad gateway",
	"10001":    "timestamp is null",
	"10205":    "appId is not found",
	"10207":    "timestamp is invalid",
	"10300":    "push token is null",
	"80100000": "some tokens failed",
	"80100003": "the message structure is wrong",
	"80200020": "receipt id is not match",
	"80200021": "request too many,please try again later",
	"80300006": "push token is repeat",
	"80300007": "all tokens are invalid",
	"80300008": "the message is longer than 4096 bytes",
	"80300010": "more than 1000 push tokens",
}

// New returns the player.
func New(o Options) play.Vendor {
	h := player{o}
	token := func(pattern string) play.Endpoint {
		return play.Endpoint{
			Name: "token", Pattern: pattern, Secret: true,
			Open: h.openToken, Handle: h.token, Success: func(*play.Call) play.Answer { return h.granted("none", grants.Life) },
		}
	}
	return play.Vendor{
		Name:     "honor",
		Envelope: h.envelope,
		Receipts: receipts,
		Endpoints: []play.Endpoint{
			token("/auth/token"),
			token("/auth/realms/developer/protocol/openid-connect/token"),
			{
				Name: "send", Pattern: "/api/v1/{app}/sendMessage",
				Open: h.openSend, Handle: h.send, Success: h.success, Sink: true,
			},
		},
	}
}

type player struct{ Options }

// answerData is the part of an answer that failures may lack.
type answerData struct {
	SendResult   bool     `json:"sendResult"`
	RequestID    string   `json:"requestId"`
	FailTokens   []string `json:"failTokens"`
	ExpireTokens []string `json:"expireTokens"`
	MsgCode      int      `json:"msgCode"` // seen, but documented nowhere
}

// envelope answers a number in the form of sends, and a word like invalid_client in
// the form of access tokens.
func (h player) envelope(c *play.Call, code string) play.Answer {
	if _, err := strconv.Atoi(code); err != nil {
		return h.denied(code)
	}
	if code == "200" {
		return h.success(c)
	}
	return h.say(code, nil)
}

// say answers a code, which is a number.
func (h player) say(code string, data *answerData) play.Answer {
	text := codeTexts[code]
	if text == "" {
		text = "code " + code
	}
	body, _ := json.Marshal(struct { // numbers and strings always marshal
		Code    json.Number `json:"code"`
		Message string      `json:"message"`
		Data    *answerData `json:"data,omitempty"`
	}{json.Number(code), text, data})
	return play.Answer{Status: h.status(code), ContentType: "application/json;charset=UTF-8", Body: body}
}

func (h player) status(code string) int {
	n, _ := strconv.Atoi(code) // a code that is not a number has status 200
	switch {
	case n == http.StatusForbidden && h.AuthStatus != 0:
		return h.AuthStatus
	case n == http.StatusForbidden, h.MirrorStatus && n >= 400 && n <= 599:
		return n
	}
	return http.StatusOK
}

func (h player) success(c *play.Call) play.Answer { return h.say("200", h.data(c, true, nil, nil)) }

func (h player) data(c *play.Call, sent bool, fail, expire []string) *answerData {
	return &answerData{
		SendResult: sent, RequestID: fmt.Sprintf("%s-%032x", c.App, c.Serial()),
		FailTokens: append([]string{}, fail...), ExpireTokens: append([]string{}, expire...), // not null when empty
	}
}

// grants have no documented limit. Answers said that they are valid for an hour.
var grants = play.GrantLimit{Max: 0, Every: 5 * time.Minute, Life: time.Hour}
