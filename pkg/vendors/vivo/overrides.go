package vivo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

var errNotObject = errors.New("overrides are not a JSON object")

// reserved are fields that say who gets the message, or which message and app
// it is, and pushMode, which message.test sets in both requests of a list push.
var reserved = []string{"regId", "regIds", "alias", "aliases", "taskId", "requestId", "appId", "pushMode"}

// merge applies an override to the root of a request by RFC 7396: objects key by key,
// null takes a field out, anything else replaces.
func merge(base, override []byte) ([]byte, error) {
	doc, err := object(base)
	if err != nil {
		return nil, fmt.Errorf("merge overrides: %w", err)
	}
	change, err := object(override)
	if err != nil {
		return nil, fmt.Errorf("merge overrides: %w", err)
	}
	for key := range change {
		if isReserved(key) {
			return nil, fmt.Errorf("merge overrides: %s cannot be overridden", strings.ToLower(key))
		}
	}
	apply(doc, change)
	out, err := encode(doc)
	if err != nil {
		return nil, fmt.Errorf("merge overrides: %w", err)
	}
	return out, nil
}

func apply(doc, change map[string]any) {
	for key, value := range change {
		inner, nested := value.(map[string]any)
		switch {
		case value == nil:
			delete(doc, key)
		case nested:
			old, ok := doc[key].(map[string]any)
			if !ok {
				old = map[string]any{}
				doc[key] = old
			}
			apply(old, inner)
		default:
			doc[key] = value
		}
	}
}

// isReserved compares without case, lest a lenient server read "RegID" as regId.
func isReserved(key string) bool {
	return slices.ContainsFunc(reserved, func(r string) bool { return strings.EqualFold(r, key) })
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
