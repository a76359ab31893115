package tim

import (
	"fmt"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

const overridesField = "message.overrides." + Name

// check reports what in a message breaks a hard limit of Tencent's. Title and
// body have none: Tencent cuts them for each phone's vendor.
func check(m *push.Message) []push.Fault {
	var faults []push.Fault
	if !isData(m) {
		faults = append(faults, vendors.CheckTexts(m, "Tencent IM")...)
	}
	if f := overrides.Faults(m.Overrides[Name]); len(f) > 0 {
		return append(faults, f...) // what cannot be merged cannot be measured
	}
	return append(faults, sizeFaults(m)...)
}

// sizeFaults measures the larger of the two forms that the message may take.
func sizeFaults(m *push.Message) []push.Fault {
	msg, err := chatMessage(m)
	switch {
	case err != nil:
		return []push.Fault{{Field: "message", Reason: "cannot be encoded as JSON"}}
	case len(msg) > maxPayload-spare:
		return []push.Fault{{Field: "message", Reason: fmt.Sprintf("has %d bytes as Tencent IM's request, accounts aside; %d are allowed", len(msg), maxPayload-spare)}}
	}
	return nil
}

// spare is more than the rest of a request has, in bytes.
const spare = 256
