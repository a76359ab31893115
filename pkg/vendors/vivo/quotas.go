package vivo

import (
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// quotas are the buckets of codes.tsv. vivo lowers the rank of an app that goes
// on calling on a day whose quota is used up:
// https://dev.vivo.com.cn/documentCenter/doc/362
func quotas() []vendors.Quota {
	return []vendors.Quota{
		{Bucket: "operational", Meaning: "the class marketing", Counts: func(m *push.Message, _ int) bool { return operationalClass(m) }},
		{Bucket: "system", Meaning: "the class service", Counts: func(m *push.Message, _ int) bool { return !operationalClass(m) }},
		{Bucket: "commercial", Meaning: "the class marketing without a category, or with MARKETING", Counts: commercial},
		{Bucket: "lists", Meaning: "messages uploaded for lists: requests with two tokens and more", Counts: func(_ *push.Message, n int) bool { return n >= minTokens }},
		{Bucket: "everybody", Meaning: "messages to everybody, which postrider never sends"},
		{Bucket: "grants", Meaning: "access tokens, for which package credential waits; requests go on while one lives"},
	}
}

func operationalClass(m *push.Message) bool { return m.Class == push.Marketing }

// commercial leaves out what has another of vivo's categories; the document
// does not say which messages vivo counts as commercial.
func commercial(m *push.Message, _ int) bool {
	c := category(m)
	return operationalClass(m) && (c == "" || c == "MARKETING")
}
