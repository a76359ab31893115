package huawei

import (
	"strconv"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// message is the value of "message" in a request, without its tokens:
// https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-api-0000001050986197
// A field whose zero is not its default is a pointer or has no omitempty.
type message struct {
	Data    string  `json:"data,omitempty"`
	Android android `json:"android"`
}

type android struct {
	Category       string        `json:"category,omitempty"`
	TTL            string        `json:"ttl"`
	BiTag          string        `json:"bi_tag"`
	TargetUserType int           `json:"target_user_type,omitempty"` // 1: test message
	Notification   *notification `json:"notification,omitempty"`
}

type notification struct {
	Title       string      `json:"title"`
	Body        string      `json:"body"`
	Image       string      `json:"image,omitempty"`
	Sound       string      `json:"sound,omitempty"`
	ClickAction clickAction `json:"click_action"`
	ChannelID   string      `json:"channel_id,omitempty"`
	Tag         string      `json:"tag,omitempty"`
	NotifyID    uint32      `json:"notify_id"`
	Badge       *badge      `json:"badge,omitempty"`
}

type clickAction struct {
	Type   int    `json:"type"`
	Intent string `json:"intent,omitempty"`
	Action string `json:"action,omitempty"`
	URL    string `json:"url,omitempty"`
}

type badge struct {
	SetNum int `json:"set_num"`
}

// ident has the values that differ between requests with the same message.
type ident struct {
	ttl      time.Duration
	key      string
	notifyID uint32
}

// payload returns the message with overrides merged and without its tokens.
func payload(m *push.Message, id ident) ([]byte, error) {
	msg, err := newMessage(m, id)
	if err != nil {
		return nil, err
	}
	return overrides.Merge(msg, m.Overrides[Name])
}

func newMessage(m *push.Message, id ident) (*message, error) {
	msg := &message{Android: android{Category: category(m), TTL: ttl(id.ttl), BiTag: id.key}}
	if m.Test {
		msg.Android.TargetUserType = 1
	}
	// A data message has data and no notification, so its data field is always set.
	if len(m.Data) > 0 || m.Kind == push.Data {
		data, err := body.Data(m.Data)
		if err != nil {
			return nil, err
		}
		msg.Data = data
	}
	if m.Kind != push.Data {
		msg.Android.Notification = newNotification(m, id)
	}
	return msg, nil
}

// newNotification gives every notification a notify_id, so that a repeated request
// replaces the notification of the first. The vendor's collapse_key is never set: it
// merges messages that wait for a phone, and an app has only 100 keys, so two
// collapse ids could share a key and a message would be lost.
func newNotification(m *push.Message, id ident) *notification {
	n := &notification{
		Title: m.Title, Body: m.Body, Image: m.Image, Sound: m.Sound,
		ChannelID: m.Channel, Tag: m.CollapseID, NotifyID: id.notifyID,
		ClickAction: newClickAction(m.Click),
	}
	// A badge without the class of the start activity fails the whole request.
	if m.Badge != nil && namesBadgeClass(m.Overrides[Name]) {
		n.Badge = &badge{SetNum: min(*m.Badge, maxBadge)}
	}
	return n
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
