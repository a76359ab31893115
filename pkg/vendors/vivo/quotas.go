package vivo

import (
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// quotas returns the buckets of codes.tsv. vivo lowers the rank of an app that keeps
// calling on a day whose quota is used up:
// https://dev.vivo.com.cn/documentCenter/doc/362
func quotas() []vendors.Quota {
	return []vendors.Quota{
		{Bucket: "operational", Meaning: "the class marketing", Counts: func(m *push.Message, _ int) bool { return operationalClass(m) }},
		{Bucket: "system", Meaning: "the class service", Counts: func(m *push.Message, _ int) bool { return !operationalClass(m) }},
		{Bucket: "commercial", Meaning: "the class marketing without a category, or with MARKETING", Counts: commercial},
		{Bucket: "lists", Meaning: "messages uploaded for lists: requests with two tokens and more", Counts: func(_ *push.Message, n int) bool { return n >= minTokens }},
		{Bucket: "everybody", Meaning: "messages to everybody, which postrider never sends"},
		{Bucket: "grants", Meaning: "access tokens; requests go on while one is valid"},
	}
}

func operationalClass(m *push.Message) bool { return m.Class == push.Marketing }

// commercial reports whether vivo may count a message as commercial: marketing with
// the category MARKETING or without one. The document does not say which messages
// vivo counts as commercial.
func commercial(m *push.Message, _ int) bool {
	c := category(m)
	return operationalClass(m) && (c == "" || c == "MARKETING")
}
