package text

import (
	"bytes"
	"unicode/utf8"
)

// mark is the byte order mark, which some editors write before UTF-8.
const mark = "\ufeff"

// TrimMark removes a byte order mark.
func TrimMark(data []byte) []byte { return bytes.TrimPrefix(data, []byte(mark)) }

// Fault says why data is not UTF-8 text, what it seems to be, and what to do. It is
// "" for UTF-8, with or without a byte order mark.
func Fault(data []byte) string {
	if name := Wide(data); name != "" {
		return "is " + name + ": save it as UTF-8"
	}
	switch {
	case utf8.Valid(data):
		return ""
	case looksLikeGBK(data):
		return "is not UTF-8, it looks like GBK: save it as UTF-8"
	}
	return "is not UTF-8: save it as UTF-8"
}

// Wide names the encoding of data whose characters have at least two bytes, by
// the byte order mark or by the zeros in its first four bytes; "" for any other.
func Wide(data []byte) string {
	switch head := data[:min(4, len(data))]; {
	case bytes.Equal(head, []byte{0xff, 0xfe, 0, 0}), bytes.Equal(head, []byte{0, 0, 0xfe, 0xff}):
		return "UTF-32"
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return "UTF-16"
	case len(head) < 4:
		return ""
	case head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0, // little endian
		head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0: // big endian
		return "UTF-16"
	}
	return ""
}

// looksLikeGBK reports whether data consists of ASCII and of byte sequences that
// GB 18030 allows for one character.
func looksLikeGBK(data []byte) bool {
	between := func(i int, low, high byte) bool { return i < len(data) && data[i] >= low && data[i] <= high }
	for i := 0; i < len(data); {
		switch {
		case data[i] < utf8.RuneSelf:
			i++
		case !between(i, 0x81, 0xfe):
			return false
		case between(i+1, 0x40, 0xfe) && data[i+1] != 0x7f:
			i += 2
		case between(i+1, '0', '9') && between(i+2, 0x81, 0xfe) && between(i+3, '0', '9'):
			i += 4
		default:
			return false
		}
	}
	return true
}
