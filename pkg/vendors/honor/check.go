package honor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/push"
)

const overridesField = "message.overrides." + Name

// check reports what in a message breaks a hard limit of Honor's.
func check(m *push.Message) []push.Fault {
	var faults []push.Fault
	if m.Kind != push.Data {
		faults = append(faults, notificationFaults(m)...)
	}
	if override := m.Overrides[Name]; len(override) > 0 {
		if f := overrideFaults(override); len(f) > 0 {
			return append(faults, f...) // what cannot be merged cannot be measured
		}
	}
	return append(faults, sizeFaults(m)...)
}

func notificationFaults(m *push.Message) []push.Fault {
	var faults []push.Fault
	if m.Title == "" {
		faults = append(faults, push.Fault{Field: "message.title", Reason: "is required for a notification at Honor"})
	}
	if m.Body == "" {
		faults = append(faults, push.Fault{Field: "message.body", Reason: "is required for a notification at Honor"})
	}
	if m.Image != "" && !https(m.Image) {
		faults = append(faults, push.Fault{Field: "message.image", Reason: "must be an https URL"})
	}
	if m.Badge != nil && *m.Badge < 0 {
		faults = append(faults, push.Fault{Field: "message.badge", Reason: "must be 0 or more"})
	}
	return append(faults, clickFaults(m.Click)...)
}

func clickFaults(c *push.Click) []push.Fault {
	if c == nil {
		return nil
	}
	switch c.Action {
	case push.ClickApp:
		return nil
	case push.ClickURL:
		if !https(c.Target) {
			return []push.Fault{{Field: "message.click.target", Reason: "must be an https URL"}}
		}
		return nil
	case push.ClickIntent, push.ClickActivity:
		if c.Target == "" {
			return []push.Fault{{Field: "message.click.target", Reason: fmt.Sprintf("is required for the action %q", c.Action)}}
		}
		return nil
	}
	return []push.Fault{{Field: "message.click.action", Reason: "is unknown: write app, url, intent or activity"}}
}

func overrideFaults(override []byte) []push.Fault {
	patch, err := object(override)
	if err != nil {
		return []push.Fault{{Field: overridesField, Reason: "must be a JSON object: it is merged into the request's body"}}
	}
	var faults []push.Fault
	for _, key := range slices.Sorted(maps.Keys(patch)) {
		if isReserved(key) {
			faults = append(faults, push.Fault{Field: overridesField + "." + key, Reason: "cannot be overridden: the job's targets say who gets the message"})
		}
	}
	return faults
}

// sizeFaults measures the bytes that Send would make, at their longest and with
// an empty list of tokens.
func sizeFaults(m *push.Message) []push.Fault {
	msg, err := payload(m, ident{ttl: maxTTL * time.Second, key: strings.Repeat("0", 32), notifyID: 1<<31 - 1})
	switch n := len(msg) + len(",") + len(head) + len(`]`); {
	case err != nil:
		return []push.Fault{{Field: "message", Reason: "cannot be encoded as JSON"}}
	case n > maxPayload:
		return []push.Fault{{Field: "message", Reason: fmt.Sprintf("has %d bytes as Honor's request, tokens aside; %d are allowed", n, maxPayload)}}
	}
	return nil
}

func https(address string) bool {
	return len(address) > len("https://") && strings.HasPrefix(address, "https://")
}
