package body

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Decode returns the value of a JSON string, or the text of any other value:
// vendors write numbers with and without quotes. raw is valid JSON or empty.
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

// Code reads a code, with or without quotes. "": it does not match form.
func Code(raw json.RawMessage, form *regexp.Regexp) string {
	if code := Decode(raw); form.MatchString(code) {
		return code
	}
	return ""
}

// ID reads a vendor's name for a request or a message, with or without quotes.
// "": the value is null, not printable or longer than 128 bytes.
func ID(raw json.RawMessage) string {
	const longest = 128
	id := Decode(raw)
	if len(id) > longest || id == "null" || !Printable(id) {
		return ""
	}
	return id
}

// Printable reports whether s is not empty and has only visible ASCII, so that it
// can be written into a header or a log unchanged.
func Printable(s string) bool {
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f }
	return s != "" && !strings.ContainsFunc(s, odd)
}

// Seconds reads a whole number of seconds, with or without quotes, and limits it
// to most. 0: the value is not such a number, or not over 0.
func Seconds(raw json.RawMessage, most time.Duration) time.Duration {
	n, err := strconv.ParseInt(Decode(raw), 10, 64)
	if err != nil || n <= 0 {
		return 0
	}
	return time.Duration(min(n, int64(most/time.Second))) * time.Second
}
