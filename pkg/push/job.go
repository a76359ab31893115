package push

import (
	"encoding/json"
	"fmt"
	"time"
)

// Priority names the lane of a vendor in which a job is sent.
type Priority string

// The priorities, most urgent first.
const (
	High   Priority = "high"
	Normal Priority = "normal"
	Bulk   Priority = "bulk"
)

// Priorities lists every priority, most urgent first.
func Priorities() []Priority { return []Priority{High, Normal, Bulk} }

// Delivery says what happens to a token whose outcome is unknown, for example
// after a crash or a timeout in the middle of a request.
type Delivery string

const (
	// AtLeastOnce sends it again, with the same idempotency key where the vendor has one.
	AtLeastOnce Delivery = "at-least-once"
	// AtMostOnce never sends it again: it ends dead with the reason "unknown-outcome".
	AtMostOnce Delivery = "at-most-once"
)

// Kind says what the phone does with a message.
type Kind string

const (
	// Notification is shown by the system.
	Notification Kind = "notification"
	// Data is passed to the application and not shown (透传).
	Data Kind = "data"
)

// Class is the vendors' distinction that decides channel, quota and endpoint.
type Class string

const (
	// Service is 服务与通讯: messages that the user waits for.
	Service Class = "service"
	// Marketing is 资讯营销: everything else.
	Marketing Class = "marketing"
)

// ClickAction says what a tap on a notification does.
type ClickAction string

// The click actions. ClickApp needs no target; the others do.
const (
	ClickApp      ClickAction = "app"
	ClickURL      ClickAction = "url"
	ClickIntent   ClickAction = "intent"
	ClickActivity ClickAction = "activity"
)

// Click is what a tap on the notification opens.
type Click struct {
	Action ClickAction `json:"action"`
	// Target is the URL, the intent URI or the activity, after Action; empty for ClickApp.
	Target string `json:"target,omitempty"`
}

// Message is what the phone gets, in the vendors' common vocabulary. Every
// adapter maps it to its vendor's own fields; docs/mapping.md says how.
type Message struct {
	Kind  Kind  `json:"kind,omitempty"`  // empty: Notification
	Class Class `json:"class,omitempty"` // empty: Service
	// Category is the vendors' message category, upper case, such as ORDER or IM.
	Category string `json:"category,omitempty"`
	// Channel is the Android notification channel's id.
	Channel string            `json:"channel,omitempty"`
	Title   string            `json:"title,omitempty"`
	Body    string            `json:"body,omitempty"`
	Data    map[string]string `json:"data,omitempty"`
	Click   *Click            `json:"click,omitempty"` // nil: open the app
	// CollapseID makes a later message with the same id replace this one on the phone.
	CollapseID string `json:"collapse_id,omitempty"`
	// TTL is how long the vendor may hold the message for a phone that is off. Zero: 24 h.
	TTL   Duration `json:"ttl,omitzero"`
	Image string   `json:"image,omitempty"` // https URL
	Sound string   `json:"sound,omitempty"`
	Badge *int     `json:"badge,omitempty"` // the number on the icon; nil: it does not change
	Test  bool     `json:"test,omitempty"`  // counts against the vendor's test quota
	// Overrides is merged, key by key, into the vendor's own request, for fields
	// that are not modelled here. Keys are vendor names.
	Overrides map[string]json.RawMessage `json:"overrides,omitempty"`
}

// DefaultTTL is used where a message has no TTL.
const DefaultTTL = 24 * time.Hour

// Job is one message of one app to any number of targets over any vendors.
type Job struct {
	// ID is the idempotency key; empty: one is generated.
	ID       string   `json:"id,omitempty"`
	App      string   `json:"app"`
	Priority Priority `json:"priority,omitempty"` // empty: Normal
	Delivery Delivery `json:"delivery,omitempty"` // empty: the vendor block's setting, else AtLeastOnce
	// NotBefore is the earliest time of sending; zero: now.
	NotBefore time.Time `json:"not_before,omitzero"`
	// ExpiresAt is the time after which nothing is sent; zero: start plus the message's TTL.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Message   Message   `json:"message"`
	// Targets are push tokens by vendor name.
	Targets map[string][]string `json:"targets,omitempty"`
}

// Duration is a time.Duration that reads and writes as "24h" or "90s" in JSON.
type Duration time.Duration

// String formats the duration as time.Duration does.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes the duration as time.Duration formats it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is not a duration: write it like \"90s\", \"15m\" or \"24h\"", b)
	}
	*d = Duration(v)
	return nil
}
