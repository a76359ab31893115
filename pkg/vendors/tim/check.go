package tim

import (
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/body"
)

const overridesField = "message.overrides." + Name

// check reports what in a message breaks a hard limit of Tencent's. Title and
// body have none: Tencent cuts them for each phone's vendor.
func check(m *push.Message) []push.Fault {
	var faults []push.Fault
	if !isData(m) {
		faults = append(faults, body.CheckTexts(m, "Tencent IM")...)
	}
	if f := overrides.Faults(m.Overrides[Name]); len(f) > 0 {
		return append(faults, f...) // what cannot be merged cannot be measured
	}
	return append(faults, sizeFaults(m)...)
}

// sizeFaults measures the larger of the two forms that the message may take.
func sizeFaults(m *push.Message) []push.Fault {
	msg, err := chatMessage(m)
	return body.CheckSize(m, Name, len(msg), err, "Tencent IM's request, accounts aside", maxPayload-spare)
}

// spare is more than the rest of a request has, in bytes.
const spare = 256
