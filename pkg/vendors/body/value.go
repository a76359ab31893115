package body

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Decode returns a JSON string's value, or any other value as it is written:
// vendors write numbers bare or in strings. raw is valid JSON or empty.
func Decode(raw json.RawMessage) string {
	if len(raw) == 0 || raw[0] != '"' {
		return string(raw)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// Code reads a code, bare or in a string; what has another form is "".
func Code(raw json.RawMessage, form *regexp.Regexp) string {
	if code := Decode(raw); form.MatchString(code) {
		return code
	}
	return ""
}

// ID reads a vendor's name for a request or a message, bare or in a string;
// what cannot be one is "": longer than 128 bytes, null, or not printable.
func ID(raw json.RawMessage) string {
	const longest = 128
	id := Decode(raw)
	if len(id) > longest || id == "null" || !Printable(id) {
		return ""
	}
	return id
}

// Printable reports whether s has at least one character and only visible ASCII,
// so that a header or a log can have it as it is.
func Printable(s string) bool {
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f }
	return s != "" && !strings.ContainsFunc(s, odd)
}

// Seconds reads a whole number of seconds, bare or in a string, and believes
// most at the most. What is no such number, or not over 0, is 0.
func Seconds(raw json.RawMessage, most time.Duration) time.Duration {
	n, err := strconv.ParseInt(Decode(raw), 10, 64)
	if err != nil || n <= 0 {
		return 0
	}
	return time.Duration(min(n, int64(most/time.Second))) * time.Second
}
