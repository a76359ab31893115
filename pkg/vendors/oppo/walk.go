package oppo

import (
	"bytes"
	"encoding/json"
)

// A unicast_batch answer has an object for each of a thousand messages. These
// walk over JSON that encoding/json has found valid, without an allocation for
// each value.

// eachElement visits the elements of a JSON array.
func eachElement(array []byte, visit func(value []byte)) {
	for i := next(array, 1); array[i] != ']'; {
		end := valueEnd(array, i)
		visit(array[i:end])
		i = afterComma(array, end)
	}
}

// eachMember visits the members of a JSON object; the key has its quotes and
// escapes. Anything but an object has none.
func eachMember(object []byte, visit func(key, value []byte)) {
	if first(object) != '{' {
		return
	}
	for i := next(object, 1); object[i] != '}'; {
		colon := valueEnd(object, i)
		key := object[i:colon]
		start := next(object, next(object, colon)+1)
		end := valueEnd(object, start)
		visit(key, object[start:end])
		i = afterComma(object, end)
	}
}

// next is the place of the first byte from i that is no blank.
func next(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n' {
		i++
	}
	return i
}

func afterComma(b []byte, i int) int {
	if i = next(b, i); b[i] == ',' {
		i = next(b, i+1)
	}
	return i
}

// valueEnd is the place behind the value that begins at i.
func valueEnd(b []byte, i int) int {
	depth := 0
	for {
		switch b[i] {
		case '"':
			i = stringEnd(b, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				return i + 1 + depth // -1: the bracket is that of the array or object around
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
		i++
	}
}

// stringEnd is the place behind the string that begins at i.
func stringEnd(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// isString reports whether a JSON string stands for s, without decoding it; one
// with escapes is never taken for s.
func isString(raw json.RawMessage, s string) bool {
	return len(raw) == len(s)+2 && raw[0] == '"' && string(raw[1:len(raw)-1]) == s && bytes.IndexByte(raw, '\\') < 0
}
