// Package xiaomi speaks the Xiaomi push server API: one message to many
// registration ids (API v3), or many messages to one id each (API v2).
//
// It knows the form, the answer in every shape that was seen, and which parts
// of a successful answer are failures. It refuses to know aliases, accounts and
// topics, what a code leads to (codes.tsv and package classify say so), and
// when to try again. There is no access token: the secret is the header.
package xiaomi

import (
	_ "embed" // for codes.tsv
	"sync"
	"time"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "xiaomi"

// Xiaomi's limits: https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1559
const (
	maxTokens    = 1000 // in one request with one message
	maxTitle     = 49   // characters: "fewer than 50"
	maxBody      = 127  // characters: "fewer than 128"
	maxExtras    = 10
	maxExtraSize = 1024 // characters of all extras, keys and values

	// How long a message may be held depends on its channel's class.
	maxPublicTTL  = 24 * time.Hour
	maxPrivateTTL = 10 * 24 * time.Hour
)

// maxMessages is how many different messages go in one request. Xiaomi's own
// document gives no number; 1,000 is what integrators report, and half of it
// is what we dare: a request over the limit would fail whole.
const maxMessages = 500

// minRate is the lowest rate that an app is granted, in requests a second, each
// with up to 1,000 tokens: https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1656
const minRate = 500

//go:embed codes.tsv
var codesTSV string

var codes = sync.OnceValue(func() *classify.Table { return classify.MustParse(Name, codesTSV) })

// Spec describes the vendor.
func Spec() vendors.Spec {
	return vendors.Spec{
		Name:     Name,
		Title:    "Xiaomi Mi Push",
		Batch:    maxTokens,
		MaxMixed: maxMessages,
		Unit:     vendors.Requests,
		Rate:     minRate,
		Codes:    codes(),
		Check:    check,
		Settings: func() vendors.Settings { return new(Settings) },
		Mapping:  mapping(),
		Quotas:   quotas(),
		Receipts: receiptSpec(),
	}
}

func mapping() []vendors.Mapping {
	return []vendors.Mapping{
		{Field: "message.kind", To: "pass_through: 0 for notification, 1 for data"},
		{Field: "message.class", To: "no field: the channel has a class of its own; marketing caps time_to_live at a day"},
		{Field: "message.category", To: "-"},
		{Field: "message.channel", To: "extra.channel_id"},
		{Field: "message.title", To: "title, at most 49 characters; left out of data messages"},
		{Field: "message.body", To: "description, at most 127 characters; left out of data messages"},
		{Field: "message.data", To: "payload, a JSON object in a string"},
		{Field: "message.click", To: "extra.notify_effect: app 1; activity 2 with extra.intent_uri made of package and activity; intent 2 with extra.intent_uri; url 3 with extra.web_uri"},
		{Field: "message.collapse_id", To: "notify_id, a number made from it; without it notify_id comes from the request's key; left out of data messages"},
		{Field: "message.ttl", To: "time_to_live, milliseconds; at most 10 days for service messages with a channel, else a day"},
		{Field: "message.image", To: "-"},
		{Field: "message.sound", To: "extra.sound_uri; /raw/name becomes android.resource://package/raw/name"},
		{Field: "message.badge", To: "-"},
		{Field: "message.test", To: "-"},
		{Field: "message.overrides.xiaomi", To: "the form fields by their full names, like extra.channel_id; null takes a field out; receivers and time_to_send are refused"},
	}
}
