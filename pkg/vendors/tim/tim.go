// Package tim speaks the server API of Tencent's IM (Chat): its push service,
// or its chat messages to many, which reach a phone as an offline push.
//
// It knows the requests, the answers in every shape that was seen, and how a
// UserSig is made. It refuses to know what the push of an accepted message came
// to (a callback says so, much later), what a code leads to (codes.tsv and
// package classify say so), and when to try again.
//
// A token is an account of the app's at Tencent: a UserID or a RegistrationID.
package tim

import (
	_ "embed" // for codes.tsv
	"sync"

	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

// Name is the vendor's name in jobs, lanes and metrics.
const Name = "tim"

// Tencent's limits.
const (
	// https://cloud.tencent.com/document/product/269/108906 and
	// https://cloud.tencent.com/document/product/269/1612: accounts in one request.
	maxTokens = 500
	// https://cloud.tencent.com/document/product/269/1671, code 93000: bytes of a request, measured
	// without its accounts, which alone may have more.
	maxPayload = 12 << 10
	// https://cloud.tencent.com/document/product/269/1612: seconds, 7 days.
	maxLife = 604800
)

// minRate is what the push service takes of an app without a plan, in accounts
// a second: https://cloud.tencent.com/document/product/269/137903
const minRate = 30

// chatPace is under the 12,000 accounts that openim/batchsendmsg takes in a
// minute by less than a request: https://cloud.tencent.com/document/product/269/1612
const chatPace = (12_000 - maxTokens) / 60.0

//go:embed codes.tsv
var codesTSV string

var codes = sync.OnceValue(func() *classify.Table { return classify.MustParse(Name, codesTSV) })

// Spec describes the vendor.
func Spec() vendors.Spec {
	return vendors.Spec{
		Name:     Name,
		Title:    "Tencent IM (Chat)",
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
		{Field: "message.kind", To: "notification: timpush/batch, or with api chat openim/batchsendmsg with a TIMTextElem; data: always openim/batchsendmsg with a TIMCustomElem, since the push service shows everything"},
		{Field: "message.class", To: "OfflinePushInfo.AndroidInfo: HuaWeiImportance and HonorImportance NORMAL or LOW, VIVOClassification and MeiZuNoticeMsgType 1 or 0, and the category MARKETING for marketing without one of its own"},
		{Field: "message.category", To: "OfflinePushInfo.AndroidInfo.HuaWeiCategory, OPPOCategory and VIVOCategory, and HarmonyInfo.Category, each where that vendor has it"},
		{Field: "message.channel", To: "OfflinePushInfo.AndroidInfo: HuaWeiChannelID, XiaoMiChannelID, OPPOChannelID and GoogleChannelID"},
		{Field: "message.title", To: "OfflinePushInfo.Title"},
		{Field: "message.body", To: "OfflinePushInfo.Desc; in a chat message Text as well"},
		{Field: "message.data", To: "OfflinePushInfo.Ext, a JSON object in a string; in a chat message CloudCustomData as well; of a data message the TIMCustomElem's Data"},
		{Field: "message.click", To: "- (the console's setting; what the app needs to know goes into message.data)"},
		{Field: "message.collapse_id", To: "-"},
		{Field: "message.ttl", To: "MsgLifeTime of a chat message, seconds, 1 to 604800; the push service has none"},
		{Field: "message.image", To: "OfflinePushInfo.AndroidInfo.HuaWeiImage, HonorImage and GoogleImage, ApnsInfo.Image, HarmonyInfo.Image"},
		{Field: "message.sound", To: "OfflinePushInfo.AndroidInfo.Sound, ApnsInfo.Sound, HarmonyInfo.Sound"},
		{Field: "message.badge", To: "OfflinePushInfo.BadgeSetNum"},
		{Field: "message.test", To: "-"},
		{Field: "message.overrides.tim", To: "OfflinePushInfo, merged as RFC 7396; null takes a field out; To_Account and From_Account are refused"},
	}
}
