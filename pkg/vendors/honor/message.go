package honor

import (
	"strconv"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// content is the body of a request without its tokens:
// https://developer.honor.com/cn/docs/11002/reference/downlink-message
// A field whose zero is not its default is a pointer or has no omitempty.
type content struct {
	Data    string  `json:"data,omitempty"`
	Android android `json:"android"`
}

type android struct {
	TTL            string        `json:"ttl"`
	BiTag          string        `json:"biTag"`
	TargetUserType int           `json:"targetUserType,omitempty"` // 1: test message
	Notification   *notification `json:"notification,omitempty"`
}

type notification struct {
	Title       string      `json:"title"`
	Body        string      `json:"body"`
	Image       string      `json:"image,omitempty"`
	ClickAction clickAction `json:"clickAction"`
	Importance  string      `json:"importance"`
	NotifyID    uint32      `json:"notifyId"`
	Tag         string      `json:"tag,omitempty"`
	Badge       *badge      `json:"badge,omitempty"`
}

type clickAction struct {
	Type   int    `json:"type"`
	Intent string `json:"intent,omitempty"`
	Action string `json:"action,omitempty"`
	URL    string `json:"url,omitempty"`
}

type badge struct {
	SetNum int `json:"setNum"`
}

// ident has the values that differ between requests with the same message.
type ident struct {
	ttl      time.Duration
	key      string
	notifyID uint32
}

// payload returns the body with overrides merged and without its tokens.
func payload(m *push.Message, id ident) ([]byte, error) {
	c, err := newContent(m, id)
	if err != nil {
		return nil, err
	}
	return overrides.Merge(c, m.Overrides[Name])
}

func newContent(m *push.Message, id ident) (*content, error) {
	c := &content{Android: android{TTL: ttl(id.ttl), BiTag: id.key}}
	if m.Test {
		c.Android.TargetUserType = 1
	}
	// A data message has data and no notification, so its data field is always set.
	if len(m.Data) > 0 || m.Kind == push.Data {
		data, err := body.Data(m.Data)
		if err != nil {
			return nil, err
		}
		c.Data = data
	}
	if m.Kind != push.Data {
		c.Android.Notification = newNotification(m, id)
	}
	return c, nil
}

// newNotification gives every notification a notifyId, so that a repeated request
// replaces the notification of the first.
func newNotification(m *push.Message, id ident) *notification {
	n := &notification{
		Title: m.Title, Body: m.Body, Image: m.Image, Importance: importance(m.Class),
		Tag: m.CollapseID, NotifyID: id.notifyID, ClickAction: newClickAction(m.Click),
	}
	// A badge needs the class of the start activity, which a job does not have.
	if m.Badge != nil && namesBadgeClass(m.Overrides[Name]) {
		n.Badge = &badge{SetNum: min(*m.Badge, maxBadge)}
	}
	return n
}

// importance returns Honor's only field for the class; Honor has no category.
func importance(c push.Class) string {
	if c == push.Marketing {
		return "LOW"
	}
	return "NORMAL"
}

func newClickAction(c *push.Click) clickAction {
	if c != nil {
		switch c.Action {
		case push.ClickURL:
			return clickAction{Type: 2, URL: c.Target}
		case push.ClickIntent:
			return clickAction{Type: 1, Intent: c.Target}
		case push.ClickActivity:
			return clickAction{Type: 1, Action: c.Target}
		case push.ClickApp:
		}
	}
	return clickAction{Type: 3}
}

// ttl returns at least one second: 0 would mean the vendor's default, a day.
func ttl(d time.Duration) string {
	return strconv.FormatInt(min(max(int64(d/time.Second), 1), maxTTL), 10) + "s"
}
