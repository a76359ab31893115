package oppo

import (
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// quotas returns the buckets of codes.tsv. Messages of the private channel have no
// daily quota: https://open.oppomobile.com/new/developmentDoc/info?id=11238
func quotas() []vendors.Quota {
	return []vendors.Quota{
		{Bucket: "public", Meaning: "messages of the public channel: the class marketing", Counts: marketing},
		{Bucket: "saves", Meaning: "messages uploaded for broadcasts: the class marketing", Counts: marketing},
		{Bucket: "pictures", Meaning: "uploads of pictures, which postrider never makes"},
	}
}

func marketing(m *push.Message, _ int) bool { return m.Class == push.Marketing }
