package tim

import (
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

const overridesField = "message.overrides." + Name

// check reports the parts of a message that break a hard limit of Tencent. Title and
// body have no limit: Tencent shortens them for each phone vendor.
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

// size returns the size of the larger of the two forms of the message.
func size(m *push.Message) (int, error) {
	msg, err := chatMessage(m)
	return len(msg), err
}

func sizeFaults(m *push.Message) []push.Fault {
	n, err := size(m)
	return body.CheckSize(m, Name, n, err, "Tencent IM's request without accounts", maxPayload-spare)
}

func limits() []vendors.Limit {
	return []vendors.Limit{{Field: "message.title", Max: maxPayload - spare, Unit: "bytes of the message without accounts", Size: size}}
}

// spare is an upper bound for the rest of a request, in bytes.
const spare = 256
