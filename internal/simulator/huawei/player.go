// Package huawei plays Huawei Push Kit v1 and v2 (EMUI, HarmonyOS up to 4), from
// https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-api-0000001050986197
// and, for access tokens, "client credentials" of the account service on the
// same site.
//
// The order of the checks is not documented: here it goes from the outside of a
// request to its inside.
//
// It knows no adapter and no other player.
package huawei

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// Options choose where Huawei's documents leave something open.
type Options struct {
	// InvalidStatus is the HTTP status of 80100000 and 80300007; 0 means 200.
	InvalidStatus int
	// AuthStatus is the HTTP status of 80200001 and 80200003; 0 means 401.
	// Answers with 200 have been seen.
	AuthStatus int
}

// codes are HTTP statuses and texts by code. Texts that no document quotes
// are our own.
var codes = map[string]struct {
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

// New returns the player.
func New(o Options) play.Vendor {
	h := player{o}
	send := func(name, pattern string) play.Endpoint {
		return play.Endpoint{Name: name, Pattern: pattern, Open: h.openSend, Handle: h.send, Success: h.success, Sink: true}
	}
	token := func(pattern string) play.Endpoint {
		return play.Endpoint{
			Name: "token", Pattern: pattern, Secret: true,
			Open: h.openToken, Handle: h.token, Success: func(*play.Call) play.Answer { return h.granted("none", grants.Life) },
		}
	}
	return play.Vendor{
		Name:     "huawei",
		Envelope: h.envelope,
		Receipts: receipts,
		Endpoints: []play.Endpoint{
			token("/oauth2/v2/token"),
			token("/oauth2/v3/token"),
			send("send", "/v1/{client}/messages:send"),
			send("send", "/v2/{project}/messages:send"),
		},
	}
}

type player struct{ Options }

// envelope answers a code in the form of sends, and one like 1302/57303 in the
// form of access tokens.
func (h player) envelope(c *play.Call, code string) play.Answer {
	if e, sub, ok := strings.Cut(code, "/"); ok {
		return h.denied(e, sub)
	}
	text := codes[code].text
	if text == "" {
		text = "Code " + code
	}
	return h.say(c, code, text)
}

// say answers a code with a text. Both are JSON strings, even when the text is
// JSON itself.
func (h player) say(c *play.Call, code, text string) play.Answer {
	body, _ := json.Marshal(struct { // strings always marshal
		Code      string `json:"code"`
		Msg       string `json:"msg"`
		RequestID string `json:"requestId"`
	}{code, text, requestID(c)})
	return play.Answer{Status: h.status(code), ContentType: "application/json;charset=UTF-8", Body: body}
}

// requestID has the form of the document's: 24 digits that begin with a time.
func requestID(c *play.Call) string {
	return fmt.Sprintf("%d%08d", c.Now.UnixMilli()*1000, c.Serial()%1e8)
}

func (h player) status(code string) int {
	switch {
	case h.InvalidStatus != 0 && (code == "80100000" || code == "80300007"):
		return h.InvalidStatus
	case h.AuthStatus != 0 && strings.HasPrefix(code, "8020"):
		return h.AuthStatus
	}
	if known, ok := codes[code]; ok {
		return known.status
	}
	return http.StatusBadRequest
}

func (h player) success(c *play.Call) play.Answer { return h.envelope(c, "80000000") }

// grants are 1,000 access tokens in 5 minutes, each valid for an hour.
var grants = play.GrantLimit{Max: 1000, Every: 5 * time.Minute, Life: time.Hour}
