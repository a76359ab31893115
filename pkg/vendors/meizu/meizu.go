// Package meizu speaks Meizu's Flyme push: one message to up to 100 push ids,
// signed with MD5.
//
// It knows the request, its signature and the answer in every shape that was
// seen. It refuses to know Meizu's other product, the aggregator UPS, what a
// code leads to (codes.tsv and package classify say so), and when to try again.
package meizu

import (
	_ "embed" // for codes.tsv
	"sync"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "meizu"

// Meizu's limits: https://github.com/MEIZUPUSH/PushAPI
const (
	maxTokens  = 100  // in one request; 1,000 until August 2023
	maxTitle   = 32   // UTF-16 units, as the vendor's server is written in Java
	maxBody    = 100  // same, for a notification's content
	maxContent = 2000 // same, for a pass-through message
	maxHours   = 72   // that a message waits for a phone
)

// minRate is the lower of the rates that others publish for an app, in requests
// a second; Meizu says that there is one and not which:
// https://help.aliyun.com/document_detail/616229.html
const minRate = 200

//go:embed codes.tsv
var codesTSV string

var codes = sync.OnceValue(func() *classify.Table { return classify.MustParse(Name, codesTSV) })

// Spec describes the vendor.
func Spec() vendors.Spec {
	return vendors.Spec{
		Name:     Name,
		Title:    "Meizu Flyme Push",
		Batch:    maxTokens,
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
		{Field: "message.kind", To: "notification: varnished/pushByPushId; data: unvarnished/pushByPushId, pass-through, which Meizu is closing down"},
		{Field: "message.class", To: "noticeBarInfo.noticeMsgType: service 1 (private), marketing 0 (public)"},
		{Field: "message.category", To: "-"},
		{Field: "message.channel", To: "-"},
		{Field: "message.title", To: "noticeBarInfo.title, at most 32 characters; of a data message title"},
		{Field: "message.body", To: "noticeBarInfo.content, at most 100 characters"},
		{Field: "message.data", To: "clickTypeInfo.parameters; of a data message content, a JSON object in a string, at most 2,000 characters"},
		{Field: "message.click", To: "clickTypeInfo: app clickType 0, activity 1 with activity, url and intent 2 with url"},
		{Field: "message.collapse_id", To: "advanceInfo.notifyKey, 8 characters made from it; without it from the request's key, so that a repetition replaces what it showed the first time; left out of data messages"},
		{Field: "message.ttl", To: "pushTimeInfo.validTime, whole hours, 1 to 72"},
		{Field: "message.image", To: "- (pictures are for VIP apps: see noticeExpandInfo in the overrides)"},
		{Field: "message.sound", To: "-"},
		{Field: "message.badge", To: "-"},
		{Field: "message.test", To: "-"},
		{Field: "message.overrides.meizu", To: "messageJson, merged as RFC 7396; null takes a field out; pushIds, appId and sign are refused"},
	}
}
