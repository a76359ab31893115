package harmony

import (
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

const overridesField = "message.overrides." + Name

// check reports the parts of a message that break a hard limit of API v3.
func check(m *push.Message) []push.Fault {
	var faults []push.Fault
	if m.Kind != push.Data {
		faults = append(body.CheckTexts(m, "HarmonyOS"), body.CheckHTTPS(m)...)
	}
	if f := overrides.Faults(m.Overrides[Name]); len(f) > 0 {
		return append(faults, f...) // without a merged message there is no size
	}
	return append(faults, sizeFaults(m)...)
}

// size returns the largest number of bytes that the request can have, without tokens.
// The document does not say whether the empty target counts; here it does.
func size(m *push.Message) (int, error) {
	msg, err := payload(m, ident{ttl: maxTTL * time.Second, key: strings.Repeat("0", 32)})
	return len(msg) + len(",") + len(head) + len(`]}`), err
}

func sizeFaults(m *push.Message) []push.Fault {
	n, err := size(m)
	return body.CheckSize(m, Name, n, err, "HarmonyOS's request without tokens", maxPayload)
}

func limits() []vendors.Limit {
	return []vendors.Limit{{Field: "message.body", Max: maxPayload, Unit: "bytes of the request without tokens", Size: size}}
}
