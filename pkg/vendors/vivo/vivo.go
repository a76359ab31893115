// Package vivo speaks vivo Push's server API.
//
// It knows the three requests (one message to one phone, uploading a message,
// sending an uploaded message to a list), their answers, and the signed grant. It
// refuses to know what a code leads to (codes.tsv and package classify say so),
// when to try again, and how large a quota is.
package vivo

import (
	_ "embed" // for codes.tsv
	"sync"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "vivo"

// A list push takes 2 to 1,000 regIds; one alone goes by another endpoint:
// https://dev.vivo.com.cn/documentCenter/doc/362
const (
	maxTokens = 1000
	minTokens = 2
)

// minRate is the lowest rate that an app is granted, in messages a second, a
// message to a thousand phones being a thousand:
// https://cloud.tencent.com/document/product/548/41407
const minRate = 3000

//go:embed codes.tsv
var codesTSV string

var codes = sync.OnceValue(func() *classify.Table { return classify.MustParse(Name, codesTSV) })

// Spec describes the vendor.
func Spec() vendors.Spec {
	return vendors.Spec{
		Name:     Name,
		Title:    "vivo Push",
		Batch:    maxTokens,
		MinBatch: minTokens,
		Unit:     vendors.Messages,
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
		{Field: "message.kind", To: "notification only: vivo has no data messages, a job with one is refused"},
		{Field: "message.class", To: "classification: service 1 (system), marketing 0 (operational)"},
		{Field: "message.category", To: "category; service has IM, ACCOUNT, TODO, DEVICE_REMINDER, ORDER and SUBSCRIPTION, marketing NEWS, CONTENT, MARKETING and SOCIAL; others, and those of the other class, are left out"},
		{Field: "message.channel", To: "-"},
		{Field: "message.title", To: "title, at most 40 wide, Chinese, Japanese and Korean characters counting 2"},
		{Field: "message.body", To: "content, at most 100 wide, counted like the title"},
		{Field: "message.data", To: "clientCustomMap, at most 10 pairs and 1024 characters in all"},
		{Field: "message.click", To: "skipType and skipContent: app 1, url 2, intent and activity 4"},
		{Field: "message.collapse_id", To: "a notifyId made from it; without it notifyId comes from the request's key"},
		{Field: "message.ttl", To: "timeToLive, seconds: 60 to 86400 for one token, 900 to 604800 for several"},
		{Field: "message.image", To: "-"},
		{Field: "message.sound", To: "-"},
		{Field: "message.badge", To: "-"},
		{Field: "message.test", To: "pushMode 1: to the console's test phones only"},
		{Field: "message.overrides.vivo", To: "the root of send or saveListPayload, merged as RFC 7396; null takes a field out; the receivers, taskId, requestId, appId and pushMode are refused"},
	}
}
