package honor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

var (
	errNotObject = errors.New("overrides are not a JSON object")
	errReceivers = errors.New("the receivers cannot be overridden")
)

// reserved are the keys of the body that say who gets it.
var reserved = []string{"token", "topic", "condition"}

// isReserved compares without case, lest a lenient server read "Token" as token.
func isReserved(key string) bool {
	return slices.ContainsFunc(reserved, func(r string) bool { return strings.EqualFold(key, r) })
}

// merge applies an override to a body by RFC 7396: objects key by key, null
// takes a field out, anything else replaces.
func merge(base, override []byte) ([]byte, error) {
	doc, err := object(base)
	if err != nil {
		return nil, fmt.Errorf("merge overrides: %w", err)
	}
	patch, err := object(override)
	if err != nil {
		return nil, fmt.Errorf("merge overrides: %w", err)
	}
	for key := range patch {
		if isReserved(key) {
			return nil, fmt.Errorf("merge overrides: %w", errReceivers)
		}
	}
	out, err := encode(patched(doc, patch))
	if err != nil {
		return nil, fmt.Errorf("merge overrides: %w", err)
	}
	return out, nil
}

func patched(doc, patch map[string]any) map[string]any {
	for key, value := range patch {
		switch v := value.(type) {
		case nil:
			delete(doc, key)
		case map[string]any:
			old, ok := doc[key].(map[string]any)
			if !ok {
				old = map[string]any{}
			}
			doc[key] = patched(old, v)
		default:
			doc[key] = v
		}
	}
	return doc
}

// object decodes one JSON object and nothing after it; numbers stay as written.
func object(b []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil || doc == nil {
		return nil, errNotObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotObject
	}
	return doc, nil
}

// namesBadgeClass tells whether an override has android.notification.badge.badgeClass.
func namesBadgeClass(override []byte) bool {
	var o struct {
		Android struct {
			Notification struct {
				Badge struct {
					BadgeClass string `json:"badgeClass"`
				} `json:"badge"`
			} `json:"notification"`
		} `json:"android"`
	}
	return len(override) > 0 && json.Unmarshal(override, &o) == nil && o.Android.Notification.Badge.BadgeClass != ""
}
