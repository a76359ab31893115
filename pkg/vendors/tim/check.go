package tim

import (
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

const overridesField = "message.overrides." + Name

// check reports the parts of a message that break a hard limit of Tencent. Title and
// body have none: Tencent cuts them for each phone's vendor.
func check(m *push.Message) []push.Fault {
	var faults []push.Fault
	if !isData(m) {
		faults = append(faults, body.CheckTexts(m, "Tencent IM")...)
	}
	if f := overrides.Faults(m.Overrides[Name]); len(f) > 0 {
		return append(faults, f...) // without a merged message there is no size
	}
	return append(faults, sizeFaults(m)...)
}

// size measures the larger of the two forms that the message may take.
func size(m *push.Message) (int, error) {
	msg, err := chatMessage(m)
	return len(msg), err
}

func sizeFaults(m *push.Message) []push.Fault {
	n, err := size(m)
	return body.CheckSize(m, Name, n, err, "Tencent IM's request, accounts aside", maxPayload-spare)
}

func limits() []vendors.Limit {
	return []vendors.Limit{{Field: "message.title", Max: maxPayload - spare, Unit: "bytes of the message without accounts", Size: size}}
}

// spare is more than the rest of a request has, in bytes.
const spare = 256
