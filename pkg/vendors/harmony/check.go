package harmony

import (
	"fmt"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

const overridesField = "message.overrides." + Name

// check reports what in a message breaks a hard limit of API v3.
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
	faults := vendors.CheckTexts(m, "HarmonyOS")
	if m.Image != "" {
		faults = append(faults, vendors.CheckHTTPS("message.image", m.Image)...)
	}
	return append(faults, vendors.CheckHTTPSClick(m.Click)...)
}

// sizeFaults measures the bytes that Send would make, at their longest. How the
// vendor leaves the tokens out is not documented: here the target counts, empty.
func sizeFaults(m *push.Message) []push.Fault {
	msg, err := payload(m, ident{ttl: maxTTL * time.Second, key: strings.Repeat("0", 32)})
	switch n := len(msg) + len(",") + len(head) + len(`]}`); {
	case err != nil:
		return []push.Fault{{Field: "message", Reason: "cannot be encoded as JSON"}}
	case n > maxPayload:
		return []push.Fault{{Field: "message", Reason: fmt.Sprintf("has %d bytes as HarmonyOS's request, tokens aside; %d are allowed", n, maxPayload)}}
	}
	return nil
}
