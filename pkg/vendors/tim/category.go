package tim

import "github.com/postrider/postrider/pkg/push"

const marketing = "MARKETING"

// categoryNames has each vendor's name for one category. "": the vendor has none.
type categoryNames struct {
	Huawei string // HarmonyOS has the same
	OPPO   string
	VIVO   string
}

// categories maps the vendors' common categories to the names that Tencent passes on
// to each vendor: https://cloud.tencent.com/document/product/269/133879
var categories = map[string]categoryNames{
	"IM":              {"IM", "IM", "IM"},
	"VOIP":            {"VOIP", "", ""},
	"SUBSCRIPTION":    {"SUBSCRIPTION", "SUBSCRIPTION", "SUBSCRIPTION"},
	"TRAVEL":          {"TRAVEL", "", ""},
	"HEALTH":          {"HEALTH", "", ""},
	"WORK":            {"WORK", "", ""},
	"ACCOUNT":         {"ACCOUNT", "ACCOUNT", "ACCOUNT"},
	"EXPRESS":         {"EXPRESS", "ORDER", "ORDER"},
	"ORDER":           {"EXPRESS", "ORDER", "ORDER"},
	"FINANCE":         {"FINANCE", "", ""},
	"DEVICE_REMINDER": {"DEVICE_REMINDER", "DEVICE_REMINDER", "DEVICE_REMINDER"},
	"MAIL":            {"MAIL", "", ""},
	"TODO":            {"", "TODO", "TODO"},
	"NEWS":            {marketing, "NEWS", "NEWS"},
	"CONTENT":         {marketing, "CONTENT", "CONTENT"},
	"SOCIAL":          {marketing, "SOCIAL", "SOCIAL"},
	"MARKETING":       {marketing, marketing, marketing},
}

// category returns the message's category at each vendor. A marketing message without
// a category gets MARKETING.
func category(m *push.Message) categoryNames {
	k := categories[m.Category]
	if m.Class != push.Marketing {
		return k
	}
	for _, name := range []*string{&k.Huawei, &k.OPPO, &k.VIVO} {
		if *name == "" {
			*name = marketing
		}
	}
	return k
}

// vivoClass returns vivo's classification: 1 is system, 0 operational. vivo refuses a
// class that contradicts the category, so a category decides, if there is one.
func vivoClass(m *push.Message, category string) int {
	switch category {
	case "NEWS", "CONTENT", "SOCIAL", marketing:
		return 0
	case "":
		if m.Class == push.Marketing {
			return 0
		}
	}
	return 1
}
