// Package harmony speaks Huawei Push Kit's API v3: HarmonyOS 5 and later.
//
// It knows the request, the answer in every shape that is documented, and how
// to sign the access token, which here is a JWT of our own. It refuses to know
// API v1 and v2 (package huawei does), what a code leads to (codes.tsv and
// package classify say so), and how long a signed token is used.
package harmony

import (
	_ "embed" // for codes.tsv
	"sync"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "harmony"

// Limits of API v3:
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-request-param
// and, for test messages,
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-response:
// more tokens are answered with 80300030. A message that an override makes a
// test is not seen as one; its requests are halved until they are taken.
const (
	maxTokens  = 1000    // in one request
	maxTests   = 10      // in one request with a test message
	maxPayload = 4096    // bytes of the body without its tokens
	maxTTL     = 1296000 // seconds: 15 days
	maxBadge   = 99
)

// minRate is the lowest rate that an app is granted, in tokens a second: the
// vendor counts devices, not requests. The figure is Tencent's, Huawei shows an
// app's own in its console: https://cloud.tencent.com/document/product/548/41407
const minRate = 6000

//go:embed codes.tsv
var codesTSV string

var codes = sync.OnceValue(func() *classify.Table { return classify.MustParse(Name, codesTSV) })

// Spec describes the vendor.
func Spec() vendors.Spec {
	return vendors.Spec{
		Name:      Name,
		Title:     "Huawei Push Kit (HarmonyOS 5)",
		Batch:     maxTokens,
		TestBatch: maxTests,
		Unit:      vendors.Tokens,
		Rate:      minRate,
		Codes:     codes(),
		Check:     check,
		Settings:  func() vendors.Settings { return new(Settings) },
		Mapping:   mapping(),
		Quotas:    quotas(),
		Receipts:  receiptSpec(),
	}
}

func mapping() []vendors.Mapping {
	return []vendors.Mapping{
		{Field: "message.kind", To: "notification: header push-type 0 and payload.notification; data: push-type 6 and payload.extraData"},
		{Field: "message.class", To: "payload.notification.category MARKETING for marketing without a category of its own"},
		{Field: "message.category", To: "payload.notification.category, which is required; ORDER is EXPRESS; NEWS, CONTENT, SOCIAL, none and what HarmonyOS lacks are MARKETING"},
		{Field: "message.channel", To: "-"},
		{Field: "message.title", To: "payload.notification.title"},
		{Field: "message.body", To: "payload.notification.body"},
		{Field: "message.data", To: "payload.notification.clickAction.data, a JSON object; of a data message payload.extraData, a JSON object in a string"},
		{Field: "message.click", To: "payload.notification.clickAction: app actionType 0; url actionType 1 uri; activity actionType 1 action; intent actionType 1 uri, but an Android intent: opens the app"},
		{Field: "message.collapse_id", To: "payload.notification.notifyId, made from it; left out of data messages"},
		{Field: "message.ttl", To: "pushOptions.ttl, whole seconds, at most 1296000"},
		{Field: "message.image", To: "payload.notification.image; the vendor has to have verified it"},
		{Field: "message.sound", To: "payload.notification.sound"},
		{Field: "message.badge", To: "payload.notification.badge.setNum, at most 99"},
		{Field: "message.test", To: "pushOptions.testMessage true; 10 tokens a request"},
		{Field: "message.overrides.harmony", To: "the body's root, merged as RFC 7396; null takes a field out; target is refused; the header push-type follows message.kind"},
	}
}
