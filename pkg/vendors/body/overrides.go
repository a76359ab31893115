package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/postrider/postrider/pkg/push"
)

var errNotObject = errors.New("overrides are not a JSON object")

// Overrides says what a job may write into one vendor's requests. It is
// immutable, and safe for concurrent use.
type Overrides struct {
	Field string // the place of overrides in a job: "message.overrides.huawei"
	Into  string // what they are merged into, for people
	// Reserved are the fields that are refused, by their paths: "token",
	// "android.bi_tag". They are compared without case, since a lenient server may
	// read "Token" as token.
	Reserved []string
	Because  string // why they are refused, for people
}

// refused returns the paths in a patch that reach a reserved field: the field
// itself, or something above it that the patch replaces or removes.
func (o *Overrides) refused(patch map[string]any) []string {
	var paths []string
	for _, reserved := range o.Reserved {
		paths = append(paths, reaching(patch, strings.Split(reserved, "."), "")...)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func reaching(patch map[string]any, names []string, above string) []string {
	var paths []string
	for key, value := range patch {
		if !strings.EqualFold(key, names[0]) {
			continue
		}
		if below, ok := value.(map[string]any); ok && len(names) > 1 {
			paths = append(paths, reaching(below, names[1:], above+key+".")...)
			continue
		}
		paths = append(paths, above+key)
	}
	return paths
}

// Faults reports why an override cannot be merged, by its keys. Merge fails
// exactly if there are faults. An empty override has none.
func (o *Overrides) Faults(override []byte) []push.Fault {
	if len(override) == 0 {
		return nil
	}
	patch, err := Object(override)
	if err != nil {
		return []push.Fault{{Field: o.Field, Reason: "must be a JSON object: it is merged into " + o.Into}}
	}
	var faults []push.Fault
	for _, path := range o.refused(patch) {
		faults = append(faults, push.Fault{Field: o.Field + "." + path, Reason: "cannot be overridden: " + o.Because})
	}
	return faults
}

// Merge encodes msg, which must encode as a JSON object, and applies an override
// to it as RFC 7396 says: objects are merged key by key, null removes a field,
// any other value replaces it. An empty override changes nothing.
func (o *Overrides) Merge(msg any, override []byte) ([]byte, error) {
	base, err := Encode(msg)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	if len(override) == 0 {
		return base, nil
	}
	doc, err := Object(base)
	if err != nil {
		return nil, fmt.Errorf("merge overrides: %w", err)
	}
	patch, err := Object(override)
	if err != nil {
		return nil, fmt.Errorf("merge overrides: %w", err)
	}
	if paths := o.refused(patch); len(paths) > 0 {
		return nil, fmt.Errorf("merge overrides: %s cannot be overridden", strings.ToLower(paths[0]))
	}
	out, err := Encode(patched(doc, patch))
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

// Object decodes a text that is one JSON object; numbers stay as written. Anything
// else is an error, also null or a text after the object.
func Object(b []byte) (map[string]any, error) {
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
