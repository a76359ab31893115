package simulator

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Huawei Push Kit v1 and v2 (EMUI, HarmonyOS up to 4), from
// https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-api-0000001050986197
// and, for access tokens, "client credentials" of the account service on the
// same site. The order of the checks is not documented; ours goes from the
// outside of a request to its inside.

// HuaweiOptions are what Huawei's documents leave open.
type HuaweiOptions struct {
	// InvalidStatus is the HTTP status of 80100000 and 80300007; 0 means 200.
	InvalidStatus int
	// AuthStatus is the HTTP status of 80200001 and 80200003; 0 means 401.
	// Answers with 200 have been seen.
	AuthStatus int
}

// HTTP statuses and texts by code. What no document quotes is worded here.
var huaweiCodes = map[string]struct {
	status int
	text   string
}{
	"80000000": {http.StatusOK, "Success"},
	"80000001": {http.StatusInternalServerError, "Internal error"},
	"80100000": {http.StatusOK, "Some tokens are invalid"},
	"80100001": {http.StatusBadRequest, "Parameter check failed"},
	"80100003": {http.StatusBadRequest, "Illegal payload"},
	"80100004": {http.StatusBadRequest, "The message expires before now"},
	"80100013": {http.StatusBadRequest, "Invalid collapse_key"},
	"80100016": {http.StatusBadRequest, "The message contains sensitive information"},
	"80100017": {http.StatusBadRequest, "More than 100 topic tasks at the same time"},
	"80100018": {http.StatusBadRequest, "The reviewed message was changed"},
	"80200001": {http.StatusUnauthorized, "Oauth authentication error"},
	"80200003": {http.StatusUnauthorized, "Access token expired"},
	"80300002": {http.StatusBadRequest, "The app has no permission to send messages"},
	"80300007": {http.StatusOK, "All the tokens are invalid"},
	"80300008": {http.StatusBadRequest, "The message body exceeds 4096 bytes"},
	"80300010": {http.StatusBadRequest, "The number of tokens is out of range"},
	"80300011": {http.StatusBadRequest, "No permission to send high-priority messages"},
	"80300013": {http.StatusBadRequest, "The receipt address is wrong"},
	"80600003": {http.StatusInternalServerError, "The OAuth service could not be asked"},
	"81000001": {http.StatusInternalServerError, "Internal system error"},
}

func huawei(o Options) vendor {
	h := huaweiPlayer{o.Huawei}
	send := func(name, pattern string) endpoint {
		return endpoint{name: name, pattern: pattern, open: h.openSend, handle: h.send, success: h.success, sink: true}
	}
	token := func(pattern string) endpoint {
		return endpoint{
			name: "token", pattern: pattern, secret: true,
			open: h.openToken, handle: h.token, success: func(*call) answer { return h.granted("none", huaweiGrants.life) },
		}
	}
	return vendor{
		name:     "huawei",
		envelope: h.envelope,
		endpoints: []endpoint{
			token("/oauth2/v2/token"),
			token("/oauth2/v3/token"),
			send("send", "/v1/{client}/messages:send"),
			send("send", "/v2/{project}/messages:send"),
		},
	}
}

type huaweiPlayer struct{ HuaweiOptions }

// envelope answers a code as sends do, and one like 1302/57303 as grants do.
func (h huaweiPlayer) envelope(c *call, code string) answer {
	if e, sub, ok := strings.Cut(code, "/"); ok {
		return h.denied(e, sub)
	}
	text := huaweiCodes[code].text
	if text == "" {
		text = "Code " + code
	}
	return h.say(c, code, text)
}

// say answers a code with a text: both are JSON strings, also when the text is
// itself JSON.
func (h huaweiPlayer) say(c *call, code, text string) answer {
	body, _ := json.Marshal(struct { // strings always marshal
		Code      string `json:"code"`
		Msg       string `json:"msg"`
		RequestID string `json:"requestId"`
	}{code, text, huaweiRequestID(c)})
	return answer{status: h.status(code), contentType: "application/json;charset=UTF-8", body: body}
}

// huaweiRequestID looks like the document's: 24 digits that begin with a time.
func huaweiRequestID(c *call) string {
	n := strconv.FormatUint(c.sim.serial.Add(1)%1e8, 10)
	return strconv.FormatInt(c.now.UnixMilli()*1000, 10) + strings.Repeat("0", 8-len(n)) + n
}

func (h huaweiPlayer) status(code string) int {
	switch {
	case h.InvalidStatus != 0 && (code == "80100000" || code == "80300007"):
		return h.InvalidStatus
	case h.AuthStatus != 0 && strings.HasPrefix(code, "8020"):
		return h.AuthStatus
	}
	if known, ok := huaweiCodes[code]; ok {
		return known.status
	}
	return http.StatusBadRequest
}

func (h huaweiPlayer) success(c *call) answer { return h.envelope(c, "80000000") }

// overloaded is flow control: a status whose body no document describes.
func (h huaweiPlayer) overloaded() answer {
	return answer{
		status: http.StatusServiceUnavailable, contentType: "text/html",
		body: []byte("<html><head><title>503 Service Temporarily Unavailable</title></head><body></body></html>"),
	}
}

// huaweiGrants are 1,000 access tokens in 5 minutes, each good for an hour.
var huaweiGrants = grantLimit{most: 1000, every: 5 * time.Minute, life: time.Hour}
