package vendors

import (
	"fmt"
	"strings"

	"github.com/postrider/postrider/pkg/push"
)

// CheckClick reports what is wrong with a click wherever it leads: an unknown
// action, or a target that is missing. nil is right: it opens the app.
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

// CheckHTTPSClick is CheckClick for vendors whose phones open https URLs alone.
func CheckHTTPSClick(c *push.Click) []push.Fault {
	if c != nil && c.Action == push.ClickURL {
		return CheckHTTPS("message.click.target", c.Target)
	}
	return CheckClick(c)
}

// CheckHTTPS reports an address in a field of the message that is not https.
func CheckHTTPS(field, address string) []push.Fault {
	if rest, ok := strings.CutPrefix(address, "https://"); !ok || rest == "" {
		return []push.Fault{{Field: field, Reason: "must be an https URL"}}
	}
	return nil
}

// CheckTexts reports what a notification lacks that cannot do without title and
// body, or a badge below 0. at names the vendor, for people.
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
