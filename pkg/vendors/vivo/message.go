package vivo

import (
	"encoding/json"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// The bounds of timeToLive in seconds, by endpoint. A day is the newer document's
// maximum for one phone; older documents allow a week.
const (
	singleLeast, singleMost = 60, 86400
	listLeast, listMost     = 900, 604800
)

// The values of fields that are enumerations.
const (
	notifyBoth = 4 // sound and vibration, as the phone's settings allow

	skipApp  = 1
	skipURL  = 2
	skipPage = 4

	system      = 1
	operational = 0

	modeTest = 1
)

// message is the root of send and of saveListPayload:
// https://dev.vivo.com.cn/documentCenter/doc/362
type message struct {
	AppID           json.Number       `json:"appId"`
	RegID           string            `json:"regId,omitempty"` // send only
	RequestID       string            `json:"requestId"`
	NotifyType      int               `json:"notifyType"`
	Title           string            `json:"title"`
	Content         string            `json:"content"`
	TimeToLive      int64             `json:"timeToLive"`
	SkipType        int               `json:"skipType"`
	SkipContent     string            `json:"skipContent,omitempty"`
	Classification  int               `json:"classification"`
	Category        string            `json:"category,omitempty"`
	ClientCustomMap map[string]string `json:"clientCustomMap,omitempty"`
	NotifyID        uint32            `json:"notifyId"`
	PushMode        int               `json:"pushMode"`
	Extra           map[string]string `json:"extra,omitempty"`
}

// ident has the values that differ between requests with the same message.
type ident struct {
	appID, regID, requestID, key string
	ttl                          int64 // seconds
	receiptURL                   string
}

// payload returns the root of the request with overrides merged.
func payload(m *push.Message, id ident) ([]byte, error) {
	return overrides.Merge(newMessage(m, id), m.Overrides[Name])
}

func newMessage(m *push.Message, id ident) *message {
	skipType, skipContent := skip(m.Click)
	msg := &message{
		AppID: json.Number(id.appID), RegID: id.regID, RequestID: id.requestID,
		NotifyType: notifyBoth, Title: m.Title, Content: m.Body, TimeToLive: id.ttl,
		SkipType: skipType, SkipContent: skipContent,
		Classification: system, Category: category(m), ClientCustomMap: m.Data,
		NotifyID: body.NotifyID(m.CollapseID, id.key), PushMode: pushMode(m), Extra: receiptFields(id),
	}
	if m.Class == push.Marketing {
		msg.Classification = operational
	}
	return msg
}

func skip(c *push.Click) (skipType int, content string) {
	if c != nil {
		switch c.Action {
		case push.ClickURL:
			return skipURL, c.Target
		case push.ClickIntent, push.ClickActivity:
			return skipPage, c.Target
		case push.ClickApp:
		}
	}
	return skipApp, ""
}

// categories maps the vendors' common categories, which are also vivo's names, to
// vivo's class of each: https://dev.vivo.com.cn/documentCenter/doc/359
var categories = map[string]push.Class{
	"IM": push.Service, "ACCOUNT": push.Service, "TODO": push.Service,
	"DEVICE_REMINDER": push.Service, "ORDER": push.Service, "SUBSCRIPTION": push.Service,
	"NEWS": push.Marketing, "CONTENT": push.Marketing, "MARKETING": push.Marketing, "SOCIAL": push.Marketing,
}

// category returns the message's category if vivo has it in the message's class, else
// "": vivo answers a category that contradicts the classification with 10097.
func category(m *push.Message) string {
	class := m.Class
	if class == "" {
		class = push.Service
	}
	if categories[m.Category] != class {
		return ""
	}
	return m.Category
}

func pushMode(m *push.Message) int {
	if m.Test {
		return modeTest
	}
	return 0
}

// seconds returns whole seconds within the endpoint's bounds: the rest of a message's
// time to live may be shorter than vivo accepts.
func seconds(d time.Duration, least, most int64) int64 {
	return min(max(int64(d/time.Second), least), most)
}
