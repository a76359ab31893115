// Package huawei speaks Huawei Push Kit's API v1, or v2 when a project id is
// set: Android and HarmonyOS up to 4.
//
// It knows the request, the answer in every shape that was seen, and the OAuth
// grant. It refuses to know HarmonyOS 5 (API v3, another vendor), what a code
// leads to (codes.tsv and package classify say so), and when to try again.
package huawei

import (
	_ "embed" // for codes.tsv
	"sync"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "huawei"

// Huawei's limits:
// https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-api-0000001050986197
const (
	maxTokens  = 1000    // in one request
	maxPayload = 4096    // bytes of message without its tokens
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
		Name:     Name,
		Title:    "Huawei Push Kit (HMS)",
		Batch:    maxTokens,
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
		{Field: "message.kind", To: "data: message.data alone; notification: message.android.notification"},
		{Field: "message.class", To: "message.android.category MARKETING for marketing without a category of its own"},
		{Field: "message.category", To: "message.android.category; ORDER is EXPRESS, and NEWS, CONTENT and SOCIAL are MARKETING; others that Huawei lacks are left out"},
		{Field: "message.channel", To: "message.android.notification.channel_id"},
		{Field: "message.title", To: "message.android.notification.title"},
		{Field: "message.body", To: "message.android.notification.body"},
		{Field: "message.data", To: "message.data, a JSON object in a string"},
		{Field: "message.click", To: "message.android.notification.click_action: app type 3, url type 2 url, intent type 1 intent, activity type 1 action"},
		{Field: "message.collapse_id", To: "message.android.notification.tag and a notify_id made from it; without it notify_id comes from the request's key; left out of data messages"},
		{Field: "message.ttl", To: "message.android.ttl, seconds as \"86400s\", at most 1296000s"},
		{Field: "message.image", To: "message.android.notification.image"},
		{Field: "message.sound", To: "message.android.notification.sound"},
		{Field: "message.badge", To: "message.android.notification.badge.set_num, at most 99, if overrides name badge.class; else left out"},
		{Field: "message.test", To: "message.android.target_user_type 1"},
		{Field: "message.overrides.huawei", To: "message, merged as RFC 7396; null takes a field out; token, topic and condition are refused"},
	}
}
