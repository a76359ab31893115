package harmony

import "github.com/postrider/postrider/pkg/push"

const marketing = "MARKETING"

// categories maps the vendors' common categories to those of HarmonyOS, listed at
// https://developer.huawei.com/consumer/cn/doc/harmonyos-references/push-scenariozed-api-request-param
// (EXPRESS is orders and logistics; news, content, social and finance news are
// MARKETING). PLAY_VOICE is missing: it is only for voice messages (push-type 2).
var categories = map[string]string{
	"IM":              "IM",
	"VOIP":            "VOIP",
	"MISS_CALL":       "MISS_CALL",
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
}

// category returns HarmonyOS's name for the message's category. The field is
// required. MARKETING is the only name that needs no right, and the vendor treats
// unclassified messages as MARKETING anyway.
func category(m *push.Message) string {
	if name, ok := categories[m.Category]; ok {
		return name
	}
	return marketing
}
