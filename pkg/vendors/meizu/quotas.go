package meizu

import "github.com/postrider/postrider/pkg/vendors"

// quotas returns the buckets of codes.tsv.
func quotas() []vendors.Quota {
	return []vendors.Quota{{Bucket: "app", Meaning: "every message of the app", Counts: vendors.EveryMessage}}
}
