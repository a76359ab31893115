package tim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

var errNotObject = errors.New("overrides are not a JSON object")

// isReserved tells whether a key says who gets the message or who sends it.
// Such keys stand beside OfflinePushInfo, where no override gets: one that is
// written all the same must not be passed over.
func isReserved(key string) bool {
	return strings.EqualFold(key, "To_Account") || strings.EqualFold(key, "From_Account")
}

// merge applies an override to a message by RFC 7396: objects key by key, null
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
			return nil, errors.New("merge overrides: the receivers cannot be overridden")
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
