package xiaomi

import (
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

// quotas returns the buckets of codes.tsv. Each class of channels has its own
// quota, and only the console shows a channel's class:
// https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1656
func quotas() []vendors.Quota {
	return []vendors.Quota{{Bucket: "channel", Meaning: "messages of one channel", Counts: vendors.EveryMessage, Part: channelOf}}
}

// channelOf returns the channel of the form with overrides. no_channel: none.
func channelOf(m *push.Message) string {
	var own []field
	if m.Channel != "" {
		own = append(own, field{extraChannel, m.Channel})
	}
	list, err := merge(own, m.Overrides[Name])
	if err != nil {
		list = own // Check has refused such a message
	}
	if c := channel(list); c != "" {
		return c
	}
	return noChannel
}
