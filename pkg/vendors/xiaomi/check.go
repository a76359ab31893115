package xiaomi

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

var (
	activityForm = regexp.MustCompile(`^[0-9A-Za-z_.$]+$`)
)

// receiptTypes is the sum of all kinds of receipts that may be requested:
// https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1558
const receiptTypes = 1 + 2 + 16 + 32 + 64 + 128 + 1024

// check reports the parts of a message that break a hard limit of Xiaomi.
func check(m *push.Message) []push.Fault {
	var faults []push.Fault
	if m.Kind != push.Data {
		faults = clickFaults(m.Click)
	}
	override := m.Overrides[Name]
	if len(override) > 0 {
		if f := overrideFaults(override); len(f) > 0 {
			return append(faults, f...) // without a merged message there is no size
		}
	}
	longest := ident{packageName: strings.Repeat("p", maxPackage), ttl: maxPrivateTTL, key: strings.Repeat("0", 32)}
	list, err := fields(m, longest)
	if err != nil {
		return append(faults, push.Fault{Field: "message.data", Reason: "cannot be encoded as JSON"})
	}
	where := blame(override)
	if value(list, fieldPass) != "1" {
		faults = append(faults, textFaults(list, where)...)
	} else if value(list, fieldPayload) == "" {
		faults = append(faults, push.Fault{Field: where(fieldPayload, "message.data"), Reason: "is required for a data message at Xiaomi"})
	}
	return append(faults, extraFaults(list, where)...)
}

// blame returns a function that names the source of a field's value: the override if
// it has the field, else the job's field.
func blame(override []byte) func(name, own string) string {
	patch, err := body.Object(override)
	return func(name, own string) string {
		if _, ok := patch[name]; ok && err == nil {
			return overridesField + "." + name
		}
		return own
	}
}

func textFaults(list []field, where func(name, own string) string) []push.Fault {
	var faults []push.Fault
	for _, t := range []struct {
		name, own string
		most      int
	}{{fieldTitle, "message.title", maxTitle}, {fieldBody, "message.body", maxBody}} {
		s := value(list, t.name)
		switch n := length(s); {
		case strings.TrimSpace(s) == "":
			faults = append(faults, push.Fault{Field: where(t.name, t.own), Reason: "is required for a notification at Xiaomi, and must not be only white space"})
		case n > t.most:
			faults = append(faults, push.Fault{Field: where(t.name, t.own), Reason: fmt.Sprintf("has %d characters; Xiaomi allows %d", n, t.most)})
		}
	}
	return faults
}

// length counts characters in the strictest way: an emoji counts 2.
func length(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

func clickFaults(c *push.Click) []push.Fault {
	if c == nil {
		return nil
	}
	switch c.Action {
	case push.ClickURL:
		if u, err := url.Parse(c.Target); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return []push.Fault{{Field: "message.click.target", Reason: "must be an http or https URL"}}
		}
	case push.ClickActivity:
		if !activityForm.MatchString(c.Target) {
			return []push.Fault{{Field: "message.click.target", Reason: "must be the class name of an activity, like com.example.shop.OrderActivity"}}
		}
	case push.ClickApp, push.ClickIntent:
	}
	return body.CheckClick(c)
}

// extraFaults measures all extras, including those that the adapter adds: the document
// does not say whether the vendor's own names count, and a request over the limit
// fails as a whole.
func extraFaults(list []field, where func(name, own string) string) []push.Fault {
	var faults []push.Fault
	number, size := 0, 0
	for _, f := range extrasOf(list) {
		number++
		size += utf8.RuneCountInString(f.name) - len(extraPrefix) + utf8.RuneCountInString(f.value)
		if reason := extraFault(f); reason != "" {
			faults = append(faults, push.Fault{Field: where(f.name, "message"), Reason: reason})
		}
	}
	if number > maxExtras {
		faults = append(faults, push.Fault{Field: overridesField, Reason: fmt.Sprintf("results in %d extra fields, with those that postrider adds; Xiaomi allows %d", number, maxExtras)})
	}
	if size > maxExtraSize {
		faults = append(faults, push.Fault{Field: "message", Reason: fmt.Sprintf("has %d characters in the extra fields (click target, sound, channel, overrides); Xiaomi allows %d", size, maxExtraSize)})
	}
	return faults
}

// extraFault checks an extra that Xiaomi would silently ignore, or that would make it
// refuse the whole request.
func extraFault(f field) string {
	switch f.name {
	case "extra.callback.type":
		if n, err := strconv.Atoi(f.value); err != nil || n < 1 || n&^receiptTypes != 0 {
			return "must be a sum of 1, 2, 16, 32, 64, 128 and 1024: Xiaomi ignores any other value"
		}
	}
	return ""
}

func limits() []vendors.Limit {
	const unit = "characters (those outside the BMP count 2)"
	return []vendors.Limit{
		{Field: "message.title", Max: maxTitle, Unit: unit},
		{Field: "message.body", Max: maxBody, Unit: unit},
	}
}
