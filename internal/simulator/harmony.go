package simulator

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Huawei Push Kit v3 (HarmonyOS 5 and later), from
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-request-struct
// and the pages beside it on parameters and answers. The order of the checks is
// not documented; ours goes from the outside of a request to its inside.

// HarmonyOptions are what the documents of API v3 leave open.
type HarmonyOptions struct {
	// InvalidStatus is the HTTP status of 80100000 and 80300007; 0 means 200.
	InvalidStatus int
	// AuthStatus is the HTTP status of 80200001 and 80200005; 0 means 401.
	AuthStatus int
	// PlainReasons leaves out the blanks that the document's example has around
	// the reasons of a partial failure.
	PlainReasons bool
	// PlainInvalid says 80300007 in words, without reasons, as API v1 does.
	PlainInvalid bool
	// Skew is how far in the future a JWT may have been signed; 0 means a minute.
	Skew time.Duration
	// TestMessages is how many test messages a project may send in a day of
	// Beijing's; 0 means what the documents say, 1,000.
	TestMessages int
	// UnverifiedImages refuses every image as one that was not verified.
	UnverifiedImages bool
}

// HTTP statuses and texts by code, the texts as the document quotes them.
var harmonyCodes = map[string]struct {
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

func harmony(o Options) vendor {
	h := &harmonyPlayer{HarmonyOptions: o.Harmony, tests: map[string]*testDay{}, delivered: &counts{}, since: map[string]time.Time{}}
	return vendor{
		name:     "harmony",
		envelope: h.envelope,
		endpoints: []endpoint{{
			name: "send", pattern: "/v3/{project}/messages:send",
			open: h.openSend, handle: h.send, success: h.success, sink: true,
		}},
	}
}

type harmonyPlayer struct {
	HarmonyOptions
	delivered *counts // of app, appMessageId, when that was first used, and token

	mu    sync.Mutex
	tests map[string]*testDay // by app
	since map[string]time.Time
}

// harmonyMemory is how long an appMessageId keeps a phone from a second message.
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-request-param
const harmonyMemory = 24 * time.Hour

// mark names the messages that are one to a phone, "" where nothing says so: the
// same appMessageId of the same app, until harmonyMemory after its first use.
func (h *harmonyPlayer) mark(c *call) string {
	if c.dedup == "" {
		return ""
	}
	key := c.app + " " + c.dedup
	h.mu.Lock()
	defer h.mu.Unlock()
	since, ok := h.since[key]
	if !ok || c.now.Sub(since) >= harmonyMemory {
		since = c.now
		h.since[key] = since
	}
	return key + " " + since.String()
}

// testDay counts an app's test messages of one day.
type testDay struct{ day, n int }

func (h *harmonyPlayer) envelope(c *call, code string) answer {
	text := harmonyCodes[code].text
	if text == "" {
		text = "Code " + code
	}
	return h.say(c, code, text)
}

// say answers a code with a text: both are JSON strings, also when the text is
// itself JSON.
func (h *harmonyPlayer) say(c *call, code, text string) answer {
	body, _ := json.Marshal(struct { // strings always marshal
		Code      string `json:"code"`
		Msg       string `json:"msg"`
		RequestID string `json:"requestId"`
	}{code, text, huaweiRequestID(c)})
	return answer{status: h.status(code), contentType: "application/json;charset=UTF-8", body: body}
}

func (h *harmonyPlayer) status(code string) int {
	switch {
	case h.InvalidStatus != 0 && (code == "80100000" || code == "80300007"):
		return h.InvalidStatus
	case h.AuthStatus != 0 && strings.HasPrefix(code, "8020"):
		return h.AuthStatus
	}
	if known, ok := harmonyCodes[code]; ok {
		return known.status
	}
	return http.StatusBadRequest
}

func (h *harmonyPlayer) success(c *call) answer { return h.envelope(c, "80000000") }

// spent counts a test message, and tells whether the day's were used up before it.
func (h *harmonyPlayer) spent(c *call) bool {
	most := h.TestMessages
	if most == 0 {
		most = 1000
	}
	beijing := c.now.Add(8 * time.Hour).UTC()
	day := beijing.Year()*1000 + beijing.YearDay()
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tests[c.app]
	if t == nil || t.day != day {
		t = &testDay{day: day}
		h.tests[c.app] = t
	}
	if t.n >= most {
		return true
	}
	t.n++
	return false
}
