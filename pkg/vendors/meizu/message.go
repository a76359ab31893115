package meizu

import (
	"encoding/base64"
	"hash/fnv"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// notification is the messageJson of a notification:
// https://github.com/MEIZUPUSH/PushAPI
// A field whose zero is not its default has no omitempty.
type notification struct {
	NoticeBarInfo noticeBar   `json:"noticeBarInfo"`
	ClickTypeInfo clickType   `json:"clickTypeInfo"`
	PushTimeInfo  pushTime    `json:"pushTimeInfo"`
	AdvanceInfo   advanceInfo `json:"advanceInfo"`
	// Extra asks for receipts, which Meizu sends only for notifications.
	Extra *receiptExtra `json:"extra,omitempty"`
}

type noticeBar struct {
	NoticeMsgType int    `json:"noticeMsgType"` // 0: public, at most 3 or 5 a day and phone; 1: private
	Title         string `json:"title"`
	Content       string `json:"content"`
}

type clickType struct {
	ClickType  int               `json:"clickType"`
	URL        string            `json:"url,omitempty"`
	Activity   string            `json:"activity,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
}

type pushTime struct {
	OffLine   int   `json:"offLine"`
	ValidTime int64 `json:"validTime"` // hours
}

type advanceInfo struct {
	NotifyKey string `json:"notifyKey"`
}

// passThrough is the messageJson of a data message.
type passThrough struct {
	Title        string   `json:"title,omitempty"`
	Content      string   `json:"content"`
	PushTimeInfo pushTime `json:"pushTimeInfo"`
}

// ident has the values that differ between requests with the same message.
type ident struct {
	ttl        time.Duration
	key        string
	receiptURL string
}

// payload returns the messageJson with overrides merged.
func payload(m *push.Message, id ident) ([]byte, error) {
	var msg any = newNotification(m, id)
	if m.Kind == push.Data {
		content, err := body.Data(m.Data)
		if err != nil {
			return nil, err
		}
		msg = &passThrough{Title: m.Title, Content: content, PushTimeInfo: pushTimeFor(id.ttl)}
	}
	return overrides.Merge(msg, m.Overrides[Name])
}

func newNotification(m *push.Message, id ident) *notification {
	n := &notification{
		NoticeBarInfo: noticeBar{NoticeMsgType: 1, Title: m.Title, Content: m.Body},
		ClickTypeInfo: newClickType(m.Click),
		PushTimeInfo:  pushTimeFor(id.ttl),
		AdvanceInfo:   advanceInfo{NotifyKey: notifyKey(m, id.key)},
		Extra:         newReceiptExtra(id),
	}
	if m.Class == push.Marketing {
		n.NoticeBarInfo.NoticeMsgType = 0
	}
	n.ClickTypeInfo.Parameters = m.Data
	return n
}

func newClickType(c *push.Click) clickType {
	if c != nil {
		switch c.Action {
		case push.ClickActivity:
			return clickType{ClickType: 1, Activity: c.Target}
		case push.ClickURL, push.ClickIntent: // an intent is a URI, too
			return clickType{ClickType: 2, URL: c.Target}
		case push.ClickApp:
		}
	}
	return clickType{ClickType: 0}
}

// pushTimeFor returns how long the message may wait for a phone: whole hours, rounded
// down so that it does not arrive after it expired. Up to a minute is added before,
// so that a message of 24 h that waited a few seconds here does not get 23 h.
func pushTimeFor(ttl time.Duration) pushTime {
	hours := int64((min(ttl, maxHours*time.Hour) + time.Minute) / time.Hour)
	return pushTime{OffLine: 1, ValidTime: min(max(hours, 1), maxHours)}
}

// notifyKey returns 8 of the characters that Meizu allows, made from the collapse id
// or, if that is empty, from the request's key. Meizu does not de-duplicate requests,
// but a phone shows only the last notification with the same notifyKey.
func notifyKey(m *push.Message, key string) string {
	if m.CollapseID != "" {
		key = "collapse " + m.CollapseID
	}
	h := fnv.New64a()
	h.Write([]byte(key))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:6])
}
