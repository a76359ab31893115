package oppo

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
	"unicode/utf8"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// The limits: https://open.oppomobile.com/new/developmentDoc/info?id=11236
const (
	maxTTL     = 864000 // seconds: 10 days
	maxTitle   = 50     // characters of title
	maxBody    = 50     // characters of content in styles 1 and 3
	maxLong    = 128    // characters of content in style 2
	styleShort = 1
	styleLong  = 2
)

// The values of click_action_type for the actions of a message.
const (
	clickApp      = 0
	clickURL      = 2
	clickActivity = 4
	clickIntent   = 5
)

// notification is the value of "notification" in a unicast, and the form of
// save_message_content: https://open.oppomobile.com/new/developmentDoc/info?id=11236
// That page has the names in snake case; a sample on page 11238 uses other names.
type notification struct {
	AppMessageID        string `json:"app_message_id"`
	Style               int    `json:"style"`
	Title               string `json:"title"`
	Content             string `json:"content"`
	ClickActionType     int    `json:"click_action_type"`
	ClickActionActivity string `json:"click_action_activity,omitempty"`
	ClickActionURL      string `json:"click_action_url,omitempty"`
	ActionParameters    string `json:"action_parameters,omitempty"`
	OffLine             bool   `json:"off_line"`
	OffLineTTL          int64  `json:"off_line_ttl"`
	ChannelID           string `json:"channel_id,omitempty"`
	Category            string `json:"category,omitempty"`
	NotifyID            uint32 `json:"notify_id"`
	CallBackURL         string `json:"call_back_url,omitempty"`
	CallBackParameter   string `json:"call_back_parameter,omitempty"`
}

// ident has the values that differ between requests with the same message.
type ident struct {
	appMessageID, key string
	ttl               time.Duration
	receiptURL        string // "": no receipts
}

// payload returns the notification with overrides merged.
func payload(m *push.Message, id ident) ([]byte, error) {
	n, err := newNotification(m, id)
	if err != nil {
		return nil, err
	}
	return overrides.Merge(n, m.Overrides[Name])
}

func newNotification(m *push.Message, id ident) (*notification, error) {
	n := &notification{
		AppMessageID: id.appMessageID,
		Style:        style(m.Body),
		Title:        m.Title, Content: m.Body,
		OffLine: true, OffLineTTL: seconds(id.ttl),
		ChannelID: m.Channel, Category: category(m),
		NotifyID: body.NotifyID(m.CollapseID, id.key),
	}
	if id.receiptURL != "" {
		n.CallBackURL, n.CallBackParameter = id.receiptURL, id.key
	}
	n.click(m.Click)
	if len(m.Data) > 0 {
		data, err := body.Data(m.Data)
		if err != nil {
			return nil, err
		}
		n.ActionParameters = data
	}
	return n, nil
}

// style returns the style long text for a body that is too long for the standard
// style.
func style(body string) int {
	if utf8.RuneCountInString(body) > maxBody {
		return styleLong
	}
	return styleShort
}

func (n *notification) click(c *push.Click) {
	if c == nil {
		return
	}
	switch c.Action {
	case push.ClickURL:
		n.ClickActionType, n.ClickActionURL = clickURL, c.Target
	case push.ClickActivity:
		n.ClickActionType, n.ClickActionActivity = clickActivity, c.Target
	case push.ClickIntent:
		n.ClickActionType, n.ClickActionURL = clickIntent, c.Target
	case push.ClickApp:
		n.ClickActionType = clickApp
	}
}

// categories maps the vendors' common categories, which are also OPPO's names, to
// OPPO's class of each: https://open.oppomobile.com/new/developmentDoc/info?id=11236
var categories = map[string]push.Class{
	"IM": push.Service, "ACCOUNT": push.Service, "TODO": push.Service,
	"DEVICE_REMINDER": push.Service, "ORDER": push.Service, "SUBSCRIPTION": push.Service,
	"NEWS": push.Marketing, "CONTENT": push.Marketing, "MARKETING": push.Marketing, "SOCIAL": push.Marketing,
}

// category returns the message's category if OPPO has it in the message's class, else
// "": OPPO answers a category of the other class with 67.
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

// seconds returns whole seconds, from one second to ten days.
func seconds(d time.Duration) int64 { return min(max(int64(d/time.Second), 1), maxTTL) }

// uploadMessageID returns the app_message_id of an upload. A message that is uploaded
// again because OPPO lost it needs another id: OPPO stores each id only once.
func uploadMessageID(r *vendors.Request) string {
	if r.UploadID == "" {
		return r.Key
	}
	sum := sha256.Sum256([]byte(r.Key + " instead of " + r.UploadID))
	return hex.EncodeToString(sum[:16])
}
