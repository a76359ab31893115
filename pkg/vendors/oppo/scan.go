package oppo

import (
	"bytes"
	"encoding/json"
)

// A unicast_batch answer has an object for each of a thousand messages. These
// functions scan JSON that encoding/json has already accepted, without an allocation
// for each value.

// eachElement calls visit with each element of a JSON array.
func eachElement(array []byte, visit func(value []byte)) {
	for i := next(array, 1); array[i] != ']'; {
		end := valueEnd(array, i)
		visit(array[i:end])
		i = afterComma(array, end)
	}
}

// eachMember calls visit with each member of a JSON object. The key has its quotes
// and escapes. A value that is not an object has no members.
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

// next returns the index of the first byte from i on that is not white space.
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

// valueEnd returns the index after the value that begins at i.
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
				return i + 1 + depth // depth -1: the bracket ends the enclosing array or object
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
		i++
	}
}

// stringEnd returns the index after the string that begins at i.
func stringEnd(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// isString reports whether raw is the JSON string s, without decoding it. It is
// false for a string with escapes.
func isString(raw json.RawMessage, s string) bool {
	return len(raw) == len(s)+2 && raw[0] == '"' && string(raw[1:len(raw)-1]) == s && bytes.IndexByte(raw, '\\') < 0
}
