package harmony

import (
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// quotas returns the buckets of codes.tsv.
func quotas() []vendors.Quota {
	return []vendors.Quota{
		{Bucket: "test", Meaning: "test messages", Counts: func(m *push.Message, _ int) bool { return m.Test }},
	}
}
