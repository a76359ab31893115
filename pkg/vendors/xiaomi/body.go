package xiaomi

import (
	"slices"
	"strings"

	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
)

// formBody returns the body for one message to many receivers. Tokens are escaped
// directly into the body, so the number of allocations does not grow with them. They
// contain + / =, which a form must escape: unescaped they would be other tokens.
func formBody(list []field, tokens []string) []byte {
	const comma = "%2C"
	size := len("registration_id=")
	for _, f := range list {
		size += body.FormSize(f.name) + body.FormSize(f.value) + len("=&")
	}
	for _, t := range tokens {
		size += body.FormSize(t) + len(comma)
	}
	b := make([]byte, 0, size)
	for _, f := range list {
		b = body.AppendForm(b, f.name)
		b = append(b, '=')
		b = body.AppendForm(b, f.value)
		b = append(b, '&')
	}
	b = append(b, "registration_id="...)
	for i, t := range tokens {
		if i > 0 {
			b = append(b, comma...)
		}
		b = body.AppendForm(b, t)
	}
	return b
}

// mixedBody returns the body that sends each request's message to the request's
// tokens: a JSON array in a form field. time_to_send 0 means now.
func mixedBody(messages [][]field, rs []*vendors.Request) []byte {
	var doc []byte
	doc = append(doc, '[')
	for i, r := range rs {
		msg := appendMessage(nil, messages[i])
		for _, t := range r.Tokens {
			if len(doc) > 1 {
				doc = append(doc, ',')
			}
			doc = append(doc, `{"target":`...)
			doc = body.AppendString(doc, t)
			doc = append(doc, `,"message":`...)
			doc = append(append(doc, msg...), '}')
		}
	}
	doc = append(doc, ']')
	const head, tail = "messages=", "&time_to_send=0"
	b := make([]byte, 0, len(head)+body.FormSize(doc)+len(tail))
	b = append(b, head...)
	b = body.AppendForm(b, doc)
	return append(b, tail...)
}

// appendMessage appends the fields as JSON: numbers as numbers, and the extras without
// their prefix in a separate object.
func appendMessage(b []byte, list []field) []byte {
	b = append(b, '{')
	for _, f := range list {
		if strings.HasPrefix(f.name, extraPrefix) {
			continue
		}
		b = body.AppendString(b, f.name)
		b = append(b, ':')
		if slices.Contains(numeric, f.name) {
			b = append(b, number(f.value)...)
		} else {
			b = body.AppendString(b, f.value)
		}
		b = append(b, ',')
	}
	b = append(b, `"extra":{`...)
	for first, f := range extrasOf(list) {
		if !first {
			b = append(b, ',')
		}
		b = body.AppendString(b, strings.TrimPrefix(f.name, extraPrefix))
		b = append(b, ':')
		b = body.AppendString(b, f.value)
	}
	return append(b, '}', '}')
}

// number returns a whole number in JSON form: JSON has no leading zeros.
func number(v string) string {
	digits := strings.TrimLeft(strings.TrimPrefix(v, "-"), "0")
	switch {
	case digits == "":
		return "0"
	case v[0] == '-':
		return "-" + digits
	}
	return digits
}

// extrasOf iterates over the extras. The flag is true for the first.
func extrasOf(list []field) func(yield func(bool, field) bool) {
	return func(yield func(bool, field) bool) {
		first := true
		for _, f := range list {
			if !strings.HasPrefix(f.name, extraPrefix) {
				continue
			}
			if !yield(first, f) {
				return
			}
			first = false
		}
	}
}
