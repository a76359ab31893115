package xiaomi

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/postrider/postrider/pkg/vendors"
)

// formBody is one message to many receivers. The tokens are written as they
// come, so the number of allocations does not grow with them. They hold + / =,
// which a form has to escape: unescaped they are other tokens.
func formBody(list []field, tokens []string) []byte {
	const comma = "%2C"
	size := len("registration_id=")
	for _, f := range list {
		size += escapedLen(f.name) + escapedLen(f.value) + len("=&")
	}
	for _, t := range tokens {
		size += escapedLen(t) + len(comma)
	}
	body := make([]byte, 0, size)
	for _, f := range list {
		body = appendEscaped(body, f.name)
		body = append(body, '=')
		body = appendEscaped(body, f.value)
		body = append(body, '&')
	}
	body = append(body, "registration_id="...)
	for i, t := range tokens {
		if i > 0 {
			body = append(body, comma...)
		}
		body = appendEscaped(body, t)
	}
	return body
}

// manyBody is a message of its own for every request, each to the request's
// tokens: a JSON array in a form field. Zero for time_to_send is now.
func manyBody(messages [][]field, rs []*vendors.Request) []byte {
	var doc []byte
	doc = append(doc, '[')
	for i, r := range rs {
		msg := appendMessage(nil, messages[i])
		for _, t := range r.Tokens {
			if len(doc) > 1 {
				doc = append(doc, ',')
			}
			doc = append(doc, `{"target":`...)
			doc = appendString(doc, t)
			doc = append(doc, `,"message":`...)
			doc = append(append(doc, msg...), '}')
		}
	}
	doc = append(doc, ']')
	const head, tail = "messages=", "&time_to_send=0"
	body := make([]byte, 0, len(head)+escapedLen(doc)+len(tail))
	body = append(body, head...)
	body = appendEscaped(body, doc)
	return append(body, tail...)
}

// appendMessage writes the fields as JSON: numbers as numbers, and the extras
// in an object of their own, without their prefix.
func appendMessage(b []byte, list []field) []byte {
	b = append(b, '{')
	for _, f := range list {
		if strings.HasPrefix(f.name, extraPrefix) {
			continue
		}
		b = appendString(b, f.name)
		b = append(b, ':')
		if slices.Contains(numeric, f.name) {
			b = append(b, number(f.value)...)
		} else {
			b = appendString(b, f.value)
		}
		b = append(b, ',')
	}
	b = append(b, `"extra":{`...)
	for first, f := range extrasOf(list) {
		if !first {
			b = append(b, ',')
		}
		b = appendString(b, strings.TrimPrefix(f.name, extraPrefix))
		b = append(b, ':')
		b = appendString(b, f.value)
	}
	return append(b, '}', '}')
}

// number is a whole number as JSON writes it: leading zeros are not JSON.
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

// extrasOf goes through the extras; the flag tells the first.
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

// plain tells whether a byte stands for itself in a form.
func plain(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '-' || c == '_' || c == '.' || c == '~'
}

func escapedLen[T string | []byte](s T) int {
	n := len(s)
	for i := range len(s) {
		if !plain(s[i]) && s[i] != ' ' {
			n += 2
		}
	}
	return n
}

// appendEscaped appends s as application/x-www-form-urlencoded has it.
func appendEscaped[T string | []byte](b []byte, s T) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case plain(c):
			b = append(b, c)
		case c == ' ':
			b = append(b, '+')
		default:
			b = append(b, '%', hex[c>>4], hex[c&0xf])
		}
	}
	return b
}

// appendString appends s as a JSON string. Runs that need no escape are copied whole.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		broken := r == utf8.RuneError && n == 1
		if !broken && r >= ' ' && r != '"' && r != '\\' {
			i += n
			continue
		}
		b = append(b, s[start:i]...)
		switch {
		case broken:
			b = append(b, "\ufffd"...)
		case r < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&0xf])
		default:
			b = append(b, '\\', byte(r))
		}
		i += n
		start = i
	}
	return append(append(b, s[start:]...), '"')
}
