package honor

import (
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/body"
)

const overridesField = "message.overrides." + Name

// check reports what in a message breaks a hard limit of Honor's.
func check(m *push.Message) []push.Fault {
	var faults []push.Fault
	if m.Kind != push.Data {
		faults = append(body.CheckTexts(m, "Honor"), body.CheckHTTPS(m)...)
	}
	if f := overrides.Faults(m.Overrides[Name]); len(f) > 0 {
		return append(faults, f...) // what cannot be merged cannot be measured
	}
	return append(faults, sizeFaults(m)...)
}

// sizeFaults measures the bytes that Send would make, at their longest and with
// an empty list of tokens.
func sizeFaults(m *push.Message) []push.Fault {
	msg, err := payload(m, ident{ttl: maxTTL * time.Second, key: strings.Repeat("0", 32), notifyID: 1<<31 - 1})
	return body.CheckSize(m, Name, len(msg)+len(",")+len(head)+len(`]`), err, "Honor's request, tokens aside", maxPayload)
}
