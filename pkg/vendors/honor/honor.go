// Package honor speaks the HONOR Push service.
//
// It knows the request, the answer in every shape that was seen, and the OAuth
// grant. It refuses to know Huawei, whose codes look the same and mean other
// things, what a code leads to (codes.tsv and package classify say so), and
// when to try again.
package honor

import (
	_ "embed" // for codes.tsv
	"sync"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "honor"

// Honor's limits: https://developer.honor.com/cn/docs/11002/reference/downlink-message
// Whether the 4,096 bytes hold the tokens is not said there; they cannot, since
// 1,000 tokens are many times as long.
const (
	maxTokens  = 1000    // in one request
	maxPayload = 4096    // bytes of the body without its tokens
	maxTTL     = 1296000 // seconds: 15 days
	maxBadge   = 99
)

// rate is every app's; the vendor does not say whether it counts tokens or
// requests, so it is taken for tokens.
const rate = 3000

//go:embed codes.tsv
var codesTSV string

var codes = sync.OnceValue(func() *classify.Table { return classify.MustParse(Name, codesTSV) })

// Spec describes the vendor.
func Spec() vendors.Spec {
	return vendors.Spec{
		Name:     Name,
		Title:    "HONOR Push",
		Batch:    maxTokens,
		Unit:     vendors.Tokens,
		Rate:     rate,
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
		{Field: "message.kind", To: "data: data alone; notification: android.notification"},
		{Field: "message.class", To: "android.notification.importance: NORMAL for service, LOW for marketing"},
		{Field: "message.category", To: "-"},
		{Field: "message.channel", To: "-"},
		{Field: "message.title", To: "android.notification.title"},
		{Field: "message.body", To: "android.notification.body"},
		{Field: "message.data", To: "data, a JSON object in a string"},
		{Field: "message.click", To: "android.notification.clickAction: app type 3, url type 2 url, intent type 1 intent, activity type 1 action"},
		{Field: "message.collapse_id", To: "android.notification.tag and a notifyId made from it; without it notifyId comes from the request's key; left out of data messages"},
		{Field: "message.ttl", To: "android.ttl, seconds as \"86400s\", at most 1296000s"},
		{Field: "message.image", To: "android.notification.image"},
		{Field: "message.sound", To: "-"},
		{Field: "message.badge", To: "android.notification.badge.setNum, at most 99, if overrides name badge.badgeClass; else left out"},
		{Field: "message.test", To: "android.targetUserType 1"},
		{Field: "message.overrides.honor", To: "the body's root, merged as RFC 7396; null takes a field out; token, topic and condition are refused"},
	}
}
