package huawei

import "github.com/postrider/postrider/pkg/push"

const marketing = "MARKETING"

// categories maps the vendors' common vocabulary to Huawei's, listed at
// https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-api-0000001050986197
// What the names cover, and so where ORDER, NEWS, CONTENT and SOCIAL belong, is said at
// https://help.aliyun.com/en/document_detail/2835878.html (EXPRESS: orders and logistics).
// A name that is not here has no counterpart: TODO, for one, is no work reminder.
var categories = map[string]string{
	"IM":              "IM",
	"VOIP":            "VOIP",
	"SUBSCRIPTION":    "SUBSCRIPTION",
	"TRAVEL":          "TRAVEL",
	"HEALTH":          "HEALTH",
	"WORK":            "WORK",
	"ACCOUNT":         "ACCOUNT",
	"EXPRESS":         "EXPRESS",
	"ORDER":           "EXPRESS",
	"FINANCE":         "FINANCE",
	"DEVICE_REMINDER": "DEVICE_REMINDER",
	"MAIL":            "MAIL",
	"PLAY_VOICE":      "PLAY_VOICE",
	"NEWS":            marketing,
	"CONTENT":         marketing,
	"SOCIAL":          marketing,
	"MARKETING":       marketing,
}

// category is Huawei's name for the message's category, or "" for none.
func category(m *push.Message) string {
	name := categories[m.Category]
	if name == "PLAY_VOICE" && m.Kind != push.Data {
		name = "" // for data messages only
	}
	if name == "" && m.Class == push.Marketing {
		return marketing
	}
	return name
}
