package tim

import (
	"fmt"
	"maps"
	"slices"

	"github.com/postrider/postrider/pkg/push"
)

const overridesField = "message.overrides." + Name

// check reports what in a message breaks a hard limit of Tencent's. Title and
// body have none: Tencent cuts them for each phone's vendor.
func check(m *push.Message) []push.Fault {
	var faults []push.Fault
	if !isData(m) {
		faults = append(faults, notificationFaults(m)...)
	}
	if override := m.Overrides[Name]; len(override) > 0 {
		f := overrideFaults(override)
		if len(f) > 0 {
			return append(faults, f...) // what cannot be merged cannot be measured
		}
	}
	return append(faults, sizeFaults(m)...)
}

func notificationFaults(m *push.Message) []push.Fault {
	var faults []push.Fault
	if m.Title == "" {
		faults = append(faults, push.Fault{Field: "message.title", Reason: "is required for a notification at Tencent IM"})
	}
	if m.Body == "" {
		faults = append(faults, push.Fault{Field: "message.body", Reason: "is required for a notification at Tencent IM"})
	}
	if m.Badge != nil && *m.Badge < 0 {
		faults = append(faults, push.Fault{Field: "message.badge", Reason: "must be 0 or more"})
	}
	return faults
}

func overrideFaults(override []byte) []push.Fault {
	patch, err := object(override)
	if err != nil {
		return []push.Fault{{Field: overridesField, Reason: "must be a JSON object: it is merged into OfflinePushInfo"}}
	}
	var faults []push.Fault
	for _, key := range slices.Sorted(maps.Keys(patch)) {
		if isReserved(key) {
			faults = append(faults, push.Fault{Field: overridesField + "." + key, Reason: "cannot be overridden: targets and settings say who sends to whom"})
		}
	}
	return faults
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
