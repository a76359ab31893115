package huawei

import (
	"fmt"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

const overridesField = "message.overrides." + Name

// check reports what in a message breaks a hard limit of Huawei's.
func check(m *push.Message) []push.Fault {
	var faults []push.Fault
	if m.Kind != push.Data {
		faults = append(faults, notificationFaults(m)...)
	}
	if f := overrides.Faults(m.Overrides[Name]); len(f) > 0 {
		return append(faults, f...) // what cannot be merged cannot be measured
	}
	return append(faults, sizeFaults(m)...)
}

func notificationFaults(m *push.Message) []push.Fault {
	faults := vendors.CheckTexts(m, "Huawei")
	if m.Image != "" {
		faults = append(faults, vendors.CheckHTTPS("message.image", m.Image)...)
	}
	return append(faults, vendors.CheckHTTPSClick(m.Click)...)
}

// sizeFaults measures the bytes that Send would make, at their longest.
func sizeFaults(m *push.Message) []push.Fault {
	longest := ident{ttl: maxTTL * time.Second, key: strings.Repeat("0", 32), notifyID: 1<<31 - 1}
	msg, err := payload(m, longest)
	switch {
	case err != nil:
		return []push.Fault{{Field: "message", Reason: "cannot be encoded as JSON"}}
	case len(msg) > maxPayload:
		return []push.Fault{{Field: "message", Reason: fmt.Sprintf("has %d bytes as Huawei's message, tokens aside; %d are allowed", len(msg), maxPayload)}}
	}
	return nil
}
