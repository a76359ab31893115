// Package body writes what several vendors' request bodies have in common (JSON,
// forms, overrides, notification numbers), checks what several vendors require
// of a message, and reads the loosely typed values of their answers.
//
// It knows no vendor. Fields, limits, codes and their meaning stay in the
// vendors' folders.
package body

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"unicode/utf8"
)

// Encode returns v as JSON without HTML escapes, which would use up a vendor's
// limit. It fails for what encoding/json cannot encode.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Data returns a message's data as a JSON object, which several vendors expect in
// a string. nil becomes an empty object.
func Data(data map[string]string) (string, error) {
	if data == nil {
		return "{}", nil
	}
	text, err := Encode(data)
	if err != nil {
		return "", fmt.Errorf("encode message data: %w", err)
	}
	return string(text), nil
}

// AppendString appends s as a JSON string, without HTML escapes. Bytes that are
// not UTF-8 become the replacement character, as in encoding/json. Tokens are
// plain ASCII and are copied unchanged.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	start, i := 0, unescaped(s)
	for i < len(s) {
		n, escape := 1, s[i] < ' ' || s[i] == '"' || s[i] == '\\'
		if s[i] >= utf8.RuneSelf {
			var r rune
			r, n = utf8.DecodeRuneInString(s[i:])
			escape = r == utf8.RuneError && n == 1
		}
		if escape {
			b = appendEscape(append(b, s[start:i]...), s[i])
			start = i + 1
		}
		i += n
	}
	return append(append(b, s[start:]...), '"')
}

// unescaped returns a number of bytes at the beginning of s that are ASCII and
// need no escape; there may be more. It checks eight bytes at a time.
func unescaped(s string) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		x := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		quote, backslash := x^each*'"', x^each*'\\'
		// A byte's high bit is set in one of the differences if the byte is less
		// than a space, is a quote or a backslash, or is not ASCII.
		if ((x-each*' ')|(quote-each)|(backslash-each))&high != 0 {
			break
		}
	}
	return i
}

// appendEscape appends a byte that must be escaped in a JSON string.
func appendEscape(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch {
	case c >= utf8.RuneSelf:
		return append(b, "\ufffd"...)
	case c < ' ':
		return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
	}
	return append(b, '\\', c)
}

// AppendStrings appends a list as JSON strings with commas between them,
// without the brackets.
func AppendStrings(b []byte, list []string) []byte {
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, s)
	}
	return b
}

// StringsSize returns the number of bytes that AppendStrings appends; strings
// that need escapes take more.
func StringsSize(list []string) int {
	size := 0
	for _, s := range list {
		size += len(s) + len(`"",`)
	}
	return size
}

// WithTokens returns head, the JSON object msg with one more member at its end, and
// tail. The member begins with open, which ends inside a list; the tokens follow, and
// tail closes the list and the objects. The message is encoded only once, so the
// number of allocations does not grow with the tokens.
func WithTokens(head string, msg []byte, open string, tokens []string, tail string) []byte {
	b := make([]byte, 0, len(head)+len(msg)+len(open)+StringsSize(tokens)+len(tail))
	b = append(b, head...)
	b = append(b, msg[:len(msg)-1]...)
	if len(msg) > len(`{}`) {
		b = append(b, ',')
	}
	b = AppendStrings(append(b, open...), tokens)
	return append(b, tail...)
}

// NotifyID returns the number by which a phone replaces a notification. It is over
// 0 and the same on every retry: 31 bits of a hash of the collapse id or, if that
// is empty, of the key.
func NotifyID(collapseID, key string) uint32 {
	if collapseID != "" {
		key = collapseID
	}
	h := fnv.New32a()
	h.Write([]byte(key))
	return max(h.Sum32()&0x7fffffff, 1)
}
