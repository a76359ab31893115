package huawei

import "github.com/postrider/postrider/pkg/push"

const marketing = "MARKETING"

// categories maps the vendors' common categories to Huawei's, listed at
// https://developer.huawei.com/consumer/cn/doc/HMSCore-References/https-send-api-0000001050986197
// The next page says what each name covers, and so where ORDER, NEWS, CONTENT and
// SOCIAL belong (EXPRESS: orders and logistics):
// https://help.aliyun.com/en/document_detail/2835878.html
// A missing name has no counterpart: TODO, for example, is not a work reminder.
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

// category returns Huawei's name for the message's category. "": it has none.
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
