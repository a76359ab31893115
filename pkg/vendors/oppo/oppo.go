// Package oppo speaks OPPO Push's server API.
//
// It knows the four requests (one message to one phone, many messages to many,
// uploading a message, sending an uploaded message), the answer in every shape
// that was seen, the signed grant, and one page of OPPO's list of dead
// registration ids. It refuses to know what a code leads to (codes.tsv and
// package classify say so), and when to try again or pull the list.
package oppo

import (
	_ "embed" // for codes.tsv
	"sync"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "oppo"

// maxTokens is the most registration ids of a broadcast and the most messages
// of a unicast_batch:
// https://open.oppomobile.com/new/developmentDoc/info?id=11238
const maxTokens = 1000

// minRate is the lowest rate that an app is granted: users a second, over all
// endpoints. A footnote of the same page says requests; users is the reading
// that cannot be too fast: https://cloud.tencent.com/document/product/548/41407
const minRate = 5000

//go:embed codes.tsv
var codesTSV string

var codes = sync.OnceValue(func() *classify.Table { return classify.MustParse(Name, codesTSV) })

// Spec describes the vendor.
func Spec() vendors.Spec {
	return vendors.Spec{
		Name:     Name,
		Title:    "OPPO Push",
		Batch:    maxTokens,
		MaxMixed: maxTokens,
		Unit:     vendors.Tokens,
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
		{Field: "message.kind", To: "notification only: OPPO has no data messages, a job with one is refused"},
		{Field: "message.class", To: "the endpoint: service goes by unicast (one token) or unicast_batch, marketing by save_message_content and broadcast"},
		{Field: "message.category", To: "category; service has IM, ACCOUNT, TODO, DEVICE_REMINDER, ORDER and SUBSCRIPTION, marketing NEWS, CONTENT, MARKETING and SOCIAL; others, and those of the other class, are left out"},
		{Field: "message.channel", To: "channel_id"},
		{Field: "message.title", To: "title, at most 50 characters"},
		{Field: "message.body", To: "content; up to 50 characters in style 1 (standard), up to 128 in style 2 (long text)"},
		{Field: "message.data", To: "action_parameters, a JSON object in a string, at most 4000 characters"},
		{Field: "message.click", To: "click_action_type: app 0, url 2 with click_action_url, activity 4 with click_action_activity (a class), intent 5 with click_action_url (an intent URI)"},
		{Field: "message.collapse_id", To: "a notify_id made from it; without it notify_id comes from the request's key"},
		{Field: "message.ttl", To: "off_line_ttl, seconds, at most 864000"},
		{Field: "message.image", To: "-"},
		{Field: "message.sound", To: "-"},
		{Field: "message.badge", To: "-"},
		{Field: "message.test", To: "-"},
		{Field: "message.overrides.oppo", To: "notification, or the form of save_message_content, merged as RFC 7396; null takes a field out; the receivers, auth_token, message_id and app_message_id are refused"},
	}
}
