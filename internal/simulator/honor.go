package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// HONOR Push, from https://developer.honor.com/cn/docs/11002/reference/downlink-message
// and the examples of https://my.oschina.net/u/5873522/blog/10140231. The order
// of the checks is not documented.

// HonorOptions are what Honor's documents leave open.
type HonorOptions struct {
	// MirrorStatus answers the codes 400 to 599 under the HTTP status of the same
	// number; else under 200. Code 403 is AuthStatus's.
	MirrorStatus bool
	// AuthStatus is the HTTP status of code 403; 0 means 403.
	AuthStatus int
	// DenialStatus is the HTTP status of refused grants; 0 means 401.
	DenialStatus int
	// Skew is how far the header timestamp may be from now; 0 means 5 minutes.
	Skew time.Duration
	// ListsUnderSuccess answers a partial failure with code 200.
	ListsUnderSuccess bool
	// NotSent says sendResult false in a partial failure.
	NotSent bool
	// ListsUnderAllInvalid adds the lists to 80300007.
	ListsUnderAllInvalid bool
}

// Texts by code; what no document quotes is worded here.
var honorTexts = map[string]string{
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

func honor(o Options) vendor {
	h := honorPlayer{o.Honor}
	token := func(pattern string) endpoint {
		return endpoint{
			name: "token", pattern: pattern, secret: true,
			open: h.openToken, handle: h.token, success: func(*call) answer { return h.granted("none", honorGrants.life) },
		}
	}
	return vendor{
		name:     "honor",
		envelope: h.envelope,
		endpoints: []endpoint{
			token("/auth/token"),
			token("/auth/realms/developer/protocol/openid-connect/token"),
			{
				name: "send", pattern: "/api/v1/{app}/sendMessage",
				open: h.openSend, handle: h.send, success: h.success, sink: true,
			},
		},
	}
}

type honorPlayer struct{ HonorOptions }

// honorData is the part of an answer that only successes are sure to have.
type honorData struct {
	SendResult   bool     `json:"sendResult"`
	RequestID    string   `json:"requestId"`
	FailTokens   []string `json:"failTokens"`
	ExpireTokens []string `json:"expireTokens"`
	MsgCode      int      `json:"msgCode"` // seen live, and documented nowhere
}

// envelope answers a number as sends do, and a word like invalid_client as
// grants do.
func (h honorPlayer) envelope(c *call, code string) answer {
	if _, err := strconv.Atoi(code); err != nil {
		return h.denied(code)
	}
	if code == "200" {
		return h.success(c)
	}
	return h.say(code, nil)
}

// say answers a code, which is a number.
func (h honorPlayer) say(code string, data *honorData) answer {
	text := honorTexts[code]
	if text == "" {
		text = "code " + code
	}
	body, _ := json.Marshal(struct { // numbers and strings always marshal
		Code    json.Number `json:"code"`
		Message string      `json:"message"`
		Data    *honorData  `json:"data,omitempty"`
	}{json.Number(code), text, data})
	return answer{status: h.status(code), contentType: "application/json;charset=UTF-8", body: body}
}

func (h honorPlayer) status(code string) int {
	n, _ := strconv.Atoi(code) // a code that is no number has the status of the others
	switch {
	case n == http.StatusForbidden && h.AuthStatus != 0:
		return h.AuthStatus
	case n == http.StatusForbidden, h.MirrorStatus && n >= 400 && n <= 599:
		return n
	}
	return http.StatusOK
}

func (h honorPlayer) success(c *call) answer { return h.say("200", h.data(c, true, nil, nil)) }

func (h honorPlayer) data(c *call, sent bool, fail, expire []string) *honorData {
	return &honorData{
		SendResult: sent, RequestID: fmt.Sprintf("%s-%032x", c.app, c.sim.serial.Add(1)),
		FailTokens: append([]string{}, fail...), ExpireTokens: append([]string{}, expire...), // lists, also when empty
	}
}

// honorGrants: no limit is documented, and an hour is what answers said.
var honorGrants = grantLimit{most: 0, every: 5 * time.Minute, life: time.Hour}
