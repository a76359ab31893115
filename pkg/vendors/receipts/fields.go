// Package receipts reads what several vendors' receipts have in common: JSON
// objects with loosely typed values, forms, and a header that is signed with the
// console's secret.
//
// It knows no vendor, no field and no code. Package vendors defines what a receipt is.
package receipts

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/vendors"
)

// Fields is a JSON object whose values vendors write as strings or as numbers. A
// missing value, or one of another kind, is not an error.
type Fields map[string]json.RawMessage

// ReadFields reads a JSON object. It trims spaces around names: Huawei's console
// sends test receipts with such names.
func ReadFields(raw []byte) (Fields, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, fmt.Errorf("read receipt: %w", tidy(err))
	}
	if object == nil {
		return nil, errNoObject
	}
	f := make(Fields, len(object))
	for name, value := range object {
		f[strings.TrimSpace(name)] = value
	}
	return f, nil
}

// tidy returns an error without the quoted input, which may contain tokens.
func tidy(err error) error {
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("not JSON from byte %d on", s.Offset)
	}
	return errShape
}

var (
	errShape    = errors.New("JSON of another type than expected")
	errNoList   = errors.New("read receipt: the list is missing")
	errNoObject = errors.New("read receipt: the body is not a JSON object")
	errNoForm   = errors.New("read receipt: the body is not a form")
)

// Object reads the field as an object. nil: it is not an object.
func (f Fields) Object(name string) Fields {
	o, err := ReadFields(f[name])
	if err != nil {
		return nil
	}
	return o
}

// Objects reads the field as an array of objects, and leaves out other elements.
// A field that is not an array is an error.
func (f Fields) Objects(name string) ([]Fields, error) {
	return ReadObjects(f[name])
}

// ReadList reads a JSON object that has receipts in an array. A receipt without a
// token or a code is left out.
func ReadList(raw []byte, array string, read func(Fields) vendors.Receipt) ([]vendors.Receipt, error) {
	body, err := ReadFields(raw)
	if err != nil {
		return nil, err
	}
	items, err := body.Objects(array)
	if err != nil {
		return nil, err
	}
	all := make([]vendors.Receipt, 0, len(items))
	for _, f := range items {
		if r := read(f); r.Token != "" && r.Code.Code != "" {
			all = append(all, r)
		}
	}
	return all, nil
}

// ReadObjects reads an array of objects, and leaves out other elements.
func ReadObjects(raw []byte) ([]Fields, error) {
	var list []json.RawMessage
	if len(raw) == 0 {
		return nil, errNoList
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("read receipt: %w", tidy(err))
	}
	if list == nil {
		return nil, errNoList
	}
	all := make([]Fields, 0, len(list))
	for _, e := range list {
		if o, err := ReadFields(e); err == nil {
			all = append(all, o)
		}
	}
	return all, nil
}

// Text returns the field's string without surrounding spaces, or its number as it
// is written. "": it is neither.
func (f Fields) Text(name string) string {
	raw := strings.TrimSpace(string(f[name]))
	if raw == "" {
		return ""
	}
	if c := raw[0]; c == '-' || c >= '0' && c <= '9' {
		return raw
	}
	var s string
	if json.Unmarshal([]byte(raw), &s) != nil {
		return ""
	}
	return strings.TrimSpace(s)
}

// Millis reads the field as Unix milliseconds. Zero: it is not a time.
func (f Fields) Millis(name string) time.Time {
	n, err := strconv.ParseInt(f.Text(name), 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// List reads the field as tokens: an array of strings, or one string of tokens
// separated by commas and optional spaces.
func (f Fields) List(name string) []string {
	var list []string
	if json.Unmarshal(f[name], &list) != nil {
		list = strings.Split(f.Text(name), ",")
	}
	all := make([]string, 0, len(list))
	for _, t := range list {
		if t = strings.TrimSpace(t); t != "" {
			all = append(all, t)
		}
	}
	return all
}

// ReadForm reads a body that is a form.
func ReadForm(body []byte) (url.Values, error) {
	v, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errNoForm
	}
	return v, nil
}
