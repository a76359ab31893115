package xiaomi

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/body"
)

const overridesField = "message.overrides." + Name

var (
	nameForm   = regexp.MustCompile(`^[0-9a-z_]{1,64}$`)
	numberForm = regexp.MustCompile(`^-?[0-9]{1,18}$`)
)

// reserved are the fields that overrides may not touch, with the reason.
var reserved = map[string]string{
	"registration_id": errReceivers, "alias": errReceivers, "user_account": errReceivers, "topic": errReceivers,
	"topics": errReceivers, "topic_op": errReceivers, "target": errReceivers, "messages": errReceivers,
	"time_to_send": "cannot be overridden: use the job's field not_before",
	"extra":        "is not a field: write extra.<name>",
	"extra.jobkey": "cannot be overridden: it follows from the job's id, so that a repeated message is shown once",
}

const errReceivers = "cannot be overridden: the job's targets say who gets the message"

// numeric has the fields that are numbers if the message is JSON.
var numeric = []string{fieldPass, "notify_type", "notify_id", "time_to_live"}

// merge replaces, adds and removes fields. A replaced field keeps its position; new
// fields follow, ordered by name.
func merge(list []field, override []byte) ([]field, error) {
	if len(override) == 0 {
		return list, nil
	}
	patch, err := body.Object(override)
	if err != nil {
		return nil, fmt.Errorf("merge overrides: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(patch)) {
		if reason := overrideFault(name, patch[name]); reason != "" {
			return nil, fmt.Errorf("merge overrides: %s %s", name, reason)
		}
		list = put(list, name, patch[name])
	}
	return list, nil
}

func put(list []field, name string, v any) []field {
	at := slices.IndexFunc(list, func(f field) bool { return f.name == name })
	switch {
	case v == nil && at >= 0:
		return slices.Delete(list, at, at+1)
	case v == nil:
		return list
	case at >= 0:
		list[at].value = fmt.Sprint(v)
		return list
	}
	return append(list, field{name, fmt.Sprint(v)})
}

func overrideFaults(override []byte) []push.Fault {
	patch, err := body.Object(override)
	if err != nil {
		return []push.Fault{{Field: overridesField, Reason: "must be a JSON object of form fields, like {\"extra.channel_id\": \"orders\"}"}}
	}
	var faults []push.Fault
	for _, name := range slices.Sorted(maps.Keys(patch)) {
		if reason := overrideFault(name, patch[name]); reason != "" {
			faults = append(faults, push.Fault{Field: overridesField + "." + name, Reason: reason})
		}
	}
	return faults
}

// overrideFault says why a field cannot be overridden with the value. "": it can.
func overrideFault(name string, v any) string {
	if reason := reserved[name]; reason != "" {
		return reason
	}
	extra, isExtra := strings.CutPrefix(name, extraPrefix)
	switch {
	case isExtra && (extra == "" || strings.ContainsFunc(extra, func(r rune) bool { return r <= ' ' || r == 0x7f })),
		!isExtra && !nameForm.MatchString(name):
		return "is not a form field: write lower-case names, or extra.<name>"
	}
	switch v.(type) {
	case nil, string, json.Number, bool:
	default:
		return "must be a string, a number, true, false or null"
	}
	if v != nil && slices.Contains(numeric, name) && !numberForm.MatchString(fmt.Sprint(v)) {
		return "must be a whole number"
	}
	return ""
}
