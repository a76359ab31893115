package body

import (
	"fmt"
	"strings"

	"github.com/postrider/postrider/pkg/push"
)

// CheckClick reports an unknown action of a click, or a missing target. nil is
// valid: it opens the app.
func CheckClick(c *push.Click) []push.Fault {
	if c == nil {
		return nil
	}
	switch c.Action {
	case push.ClickApp:
		return nil
	case push.ClickURL, push.ClickIntent, push.ClickActivity:
		if c.Target == "" {
			return []push.Fault{{Field: "message.click.target", Reason: fmt.Sprintf("is required for the action %q", c.Action)}}
		}
		return nil
	}
	return []push.Fault{{Field: "message.click.action", Reason: "is unknown: write app, url, intent or activity"}}
}

// CheckHTTPS reports what is wrong with the image and the click of a
// notification, for vendors whose phones open only https URLs.
func CheckHTTPS(m *push.Message) []push.Fault {
	var faults []push.Fault
	if m.Image != "" {
		faults = notHTTPS("message.image", m.Image)
	}
	if m.Click != nil && m.Click.Action == push.ClickURL {
		return append(faults, notHTTPS("message.click.target", m.Click.Target)...)
	}
	return append(faults, CheckClick(m.Click)...)
}

func notHTTPS(field, address string) []push.Fault {
	if rest, ok := strings.CutPrefix(address, "https://"); !ok || rest == "" {
		return []push.Fault{{Field: field, Reason: "must be an https URL"}}
	}
	return nil
}

// CheckSize reports a message whose size, in bytes of the vendor's request, is
// over most; as names what was measured, for people. A non-nil err says that the
// message could not be encoded. The fault names the largest part of the message.
func CheckSize(m *push.Message, vendor string, size int, err error, as string, most int) []push.Fault {
	switch {
	case err != nil:
		return []push.Fault{{Field: "message", Reason: "cannot be encoded as JSON"}}
	case size > most:
		field, bytes := largest(m, vendor)
		return []push.Fault{{Field: field, Reason: fmt.Sprintf(
			"is the largest part, with %d bytes, of a message that has %d as %s; %d are allowed", bytes, size, as, most)}}
	}
	return nil
}

// largest returns the part of a message with the most bytes in the request.
func largest(m *push.Message, vendor string) (field string, bytes int) {
	field = "message" // for a message without any text
	data := 0
	for k, v := range m.Data {
		data += len(k) + len(v)
	}
	click := 0
	if m.Click != nil {
		click = len(m.Click.Target)
	}
	for _, part := range []struct {
		field string
		bytes int
	}{
		{"message.title", len(m.Title)}, {"message.body", len(m.Body)}, {"message.data", data}, {"message.click.target", click},
		{"message.image", len(m.Image)}, {"message.sound", len(m.Sound)}, {"message.channel", len(m.Channel)},
		{"message.collapse_id", len(m.CollapseID)}, {"message.overrides." + vendor, len(m.Overrides[vendor])},
	} {
		if part.bytes > bytes {
			field, bytes = part.field, part.bytes
		}
	}
	return field, bytes
}

// CheckTexts reports a missing title or body of a notification, and a badge below
// 0. at names the vendor, for people.
func CheckTexts(m *push.Message, at string) []push.Fault {
	var faults []push.Fault
	if m.Title == "" {
		faults = append(faults, push.Fault{Field: "message.title", Reason: "is required for a notification at " + at})
	}
	if m.Body == "" {
		faults = append(faults, push.Fault{Field: "message.body", Reason: "is required for a notification at " + at})
	}
	if m.Badge != nil && *m.Badge < 0 {
		faults = append(faults, push.Fault{Field: "message.badge", Reason: "must be 0 or more"})
	}
	return faults
}
