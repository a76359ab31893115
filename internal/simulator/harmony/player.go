// Package harmony plays Huawei Push Kit v3 (HarmonyOS 5 and later), from
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-request-struct
// and the pages next to it about parameters and answers.
//
// The order of the checks is not documented: here it goes from the outside of a
// request to its inside.
//
// It knows no adapter and no other player.
package harmony

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
)

// Options choose where the documents of API v3 leave something open.
type Options struct {
	// InvalidStatus is the HTTP status of 80100000 and 80300007; 0 means 200.
	InvalidStatus int
	// PlainReasons leaves out the spaces around the reasons of a partial failure,
	// which the document's example has.
	PlainReasons bool
	// PlainInvalid answers 80300007 with a text instead of reasons, as API v1 does.
	PlainInvalid bool
	// TestMessages is how many test messages a project may send on a day in Beijing;
	// 0 means 1,000, as the documents say.
	TestMessages int
	// UnverifiedImages refuses every image as one that was not verified.
	UnverifiedImages bool
}

// codes are HTTP statuses and texts by code, the texts as the document
// quotes them.
var codes = map[string]struct {
	status int
	text   string
}{
	"80000000": {http.StatusOK, "Success"},
	"80100000": {http.StatusOK, "Check Parameter Partial Success."},
	"80100001": {http.StatusBadRequest, "Check Parameter Error."},
	"80100003": {http.StatusBadRequest, "Illegal payload"},
	"80100004": {http.StatusBadRequest, "Illegal expire time."},
	"80100022": {http.StatusBadRequest, "Anti-Spam: image not verify."},
	"80200001": {http.StatusUnauthorized, "Authentication Error."},
	"80200005": {http.StatusUnauthorized, "Jwt token expired."},
	"80300002": {http.StatusBadRequest, "No permission to send message to these tmIDs."},
	"80300007": {http.StatusOK, "All the tokens are invalid."},
	"80300008": {http.StatusBadRequest, "Push message size is too long."},
	"80300010": {http.StatusBadRequest, "token count should within 1 and 1000."},
	"80300029": {http.StatusBadRequest, "When send test message, the api request exceed limit."},
	"80300030": {http.StatusBadRequest, "When send test message, token count exceed limit."},
	"80300036": {http.StatusUnauthorized, "JWT expire period over threshold."},
	"80300037": {http.StatusBadRequest, "Disable send huawei msg because of penalty."},
	"81000001": {http.StatusInternalServerError, "Inner Error."},
}

// New returns the player.
func New(o Options) play.Vendor {
	h := &player{Options: o, since: map[string]time.Time{}}
	return play.Vendor{
		Name:     "harmony",
		Envelope: h.envelope,
		Receipts: receipts,
		Endpoints: []play.Endpoint{{
			Name: "send", Pattern: "/v3/{project}/messages:send",
			Open: h.openSend, Handle: h.send, Success: h.success, Sink: true,
		}},
	}
}

type player struct {
	Options
	delivered play.Counts     // by token and mark
	tests     play.DayCounter // test messages, by app

	mu    sync.Mutex
	since map[string]time.Time // first use of an appMessageId, by app and id
}

// messageIDLife is how long a device gets no second message with the same
// appMessageId.
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-request-param
const messageIDLife = 24 * time.Hour

// mark is the same for all messages of which a device gets only one: those of the
// same app with the same appMessageId, until messageIDLife after its first use.
// It is "" for a message without appMessageId.
func (h *player) mark(c *play.Call, messageID string) string {
	if messageID == "" {
		return ""
	}
	key := c.App + " " + messageID
	h.mu.Lock()
	defer h.mu.Unlock()
	since, ok := h.since[key]
	if !ok || c.Now.Sub(since) >= messageIDLife {
		since = c.Now
		h.since[key] = since
	}
	return key + " " + since.String()
}

func (h *player) envelope(c *play.Call, code string) play.Answer {
	text := codes[code].text
	if text == "" {
		text = "Code " + code
	}
	return h.say(c, code, text)
}

// say answers a code with a text. Both are JSON strings, even when the text is
// JSON itself.
func (h *player) say(c *play.Call, code, text string) play.Answer {
	body, _ := json.Marshal(struct { // strings always marshal
		Code      string `json:"code"`
		Msg       string `json:"msg"`
		RequestID string `json:"requestId"`
	}{code, text, requestID(c)})
	return play.Answer{Status: h.status(code), ContentType: "application/json;charset=UTF-8", Body: body}
}

func (h *player) status(code string) int {
	if h.InvalidStatus != 0 && (code == "80100000" || code == "80300007") {
		return h.InvalidStatus
	}
	if known, ok := codes[code]; ok {
		return known.status
	}
	return http.StatusBadRequest
}

func (h *player) success(c *play.Call) play.Answer { return h.envelope(c, "80000000") }

// testsUsedUp reports whether the app has sent all test messages of the day; if not,
// it counts one.
func (h *player) testsUsedUp(c *play.Call) bool {
	return !h.tests.Take(c.App, c.Now, cmp.Or(h.TestMessages, 1000))
}

// requestID has the form of the document's: 24 digits that begin with a time.
func requestID(c *play.Call) string {
	return fmt.Sprintf("%d%08d", c.Now.UnixMilli()*1000, c.Serial()%1e8)
}
