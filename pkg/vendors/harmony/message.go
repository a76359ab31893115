package harmony

import (
	"hash/fnv"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// content is the body of a request without its target:
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-request-param
// A field whose zero is not its default is a pointer or has no omitempty.
type content struct {
	Payload payloadBody `json:"payload"`
	Options options     `json:"pushOptions"`
}

// payloadBody has a notification for push-type 0, or extra data for push-type 6, which
// requires them.
type payloadBody struct {
	Notification *notification `json:"notification,omitempty"`
	ExtraData    string        `json:"extraData,omitempty"`
}

type notification struct {
	Category     string      `json:"category"`
	Title        string      `json:"title"`
	Body         string      `json:"body"`
	Image        string      `json:"image,omitempty"`
	ClickAction  clickAction `json:"clickAction"`
	NotifyID     *uint32     `json:"notifyId,omitempty"`
	AppMessageID string      `json:"appMessageId"`
	Badge        *badge      `json:"badge,omitempty"`
	Sound        string      `json:"sound,omitempty"`
}

type clickAction struct {
	ActionType int               `json:"actionType"`
	Action     string            `json:"action,omitempty"`
	URI        string            `json:"uri,omitempty"`
	Data       map[string]string `json:"data,omitempty"`
}

type badge struct {
	SetNum int `json:"setNum"`
}

type options struct {
	TestMessage bool   `json:"testMessage,omitempty"`
	TTL         int64  `json:"ttl"` // seconds
	BiTag       string `json:"biTag"`
}

// ident has the values that differ between requests with the same message.
type ident struct {
	ttl time.Duration
	key string
}

// payload returns the body with overrides merged and without its target.
func payload(m *push.Message, id ident) ([]byte, error) {
	c, err := newContent(m, id)
	if err != nil {
		return nil, err
	}
	return overrides.Merge(c, m.Overrides[Name])
}

func newContent(m *push.Message, id ident) (*content, error) {
	c := &content{Options: options{TestMessage: m.Test, TTL: ttl(id.ttl), BiTag: id.key}}
	if m.Kind != push.Data {
		c.Payload.Notification = newNotification(m, id)
		return c, nil
	}
	extra, err := body.Data(m.Data)
	if err != nil {
		return nil, err
	}
	c.Payload.ExtraData = extra
	return c, nil
}

// newNotification gives every notification an appMessageId. Within 24 hours the phone
// shows only the first notification with the same one, so a repeated request shows
// nothing twice. The vendor's collapseKey is never set: it merges messages that wait
// for a phone, and an app has only 101 keys, so two collapse ids could share a key
// and a message would be lost.
func newNotification(m *push.Message, id ident) *notification {
	n := &notification{
		Category: category(m), Title: m.Title, Body: m.Body, Image: m.Image, Sound: m.Sound,
		ClickAction: newClickAction(m), AppMessageID: id.key,
	}
	if m.CollapseID != "" {
		n.NotifyID = new(notifyID(m.CollapseID))
	}
	if m.Badge != nil {
		n.Badge = &badge{SetNum: min(*m.Badge, maxBadge)}
	}
	return n
}

func newClickAction(m *push.Message) clickAction {
	home := clickAction{ActionType: 0, Data: m.Data}
	if m.Click == nil {
		return home
	}
	switch m.Click.Action {
	case push.ClickURL:
		return clickAction{ActionType: 1, URI: m.Click.Target, Data: m.Data}
	case push.ClickIntent:
		if strings.HasPrefix(m.Click.Target, "intent:") {
			return home // Android's form of an intent; no page of a HarmonyOS app has it
		}
		return clickAction{ActionType: 1, URI: m.Click.Target, Data: m.Data}
	case push.ClickActivity:
		return clickAction{ActionType: 1, Action: m.Click.Target, Data: m.Data}
	case push.ClickApp:
	}
	return home
}

// notifyID returns 31 bits of a hash of a collapse id. A later message with the same
// id replaces the notification.
func notifyID(collapseID string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(collapseID))
	return h.Sum32() & 0x7fffffff
}

// ttl returns seconds, at least one: the meaning of 0 is not documented.
func ttl(d time.Duration) int64 { return min(max(int64(d/time.Second), 1), maxTTL) }
