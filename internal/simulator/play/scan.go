package play

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
)

// A body is a thousand tokens and little else. The scanner finds the tokens in one
// pass without decoding; encoding/json decodes the rest and says what is wrong
// with it.

// errJSON is the scanner's only error.
var errJSON = errors.New("not JSON")

// Span is a part of a body, from start up to end. The zero value is no part.
type Span struct{ Start, End int }

// Empty reports whether there is no span.
func (s Span) Empty() bool { return s.End == 0 }

// Visitor is called for an object's member with its key as written, without the
// quotes, and the offset of its value. It returns the offset after the value.
type Visitor func(key []byte, i int) (int, error)

// Members visits the members of the object that begins at i, in order, and
// returns the offset after the object.
func Members(b []byte, i int, visit Visitor) (int, error) {
	i, err := open(b, i, '{')
	for err == nil && i < len(b) && b[i] != '}' {
		start := i
		if b[i] != '"' {
			return i, errJSON
		}
		if i, err = quoted(b, i); err != nil {
			return i, err
		}
		key := b[start+1 : i-1]
		if i = skipSpace(b, i); i == len(b) || b[i] != ':' {
			return i, errJSON
		}
		if i, err = visit(key, skipSpace(b, i+1)); err == nil {
			i, err = comma(b, i, '}')
		}
	}
	return closed(b, i, err)
}

// Texts appends the strings of the array that begins at i to list, and returns
// the offset after the array. Strings without escapes share b's memory. The error
// is errJSON when an element is not a string.
func Texts(b []byte, i int, list [][]byte) ([][]byte, int, error) {
	i, err := open(b, i, '[')
	for err == nil && i < len(b) && b[i] != ']' {
		start := i
		if b[i] != '"' {
			return list, i, errJSON
		}
		if i, err = quoted(b, i); err != nil {
			break
		}
		var t []byte
		if t, err = plain(b[start:i]); err == nil {
			list = append(list, t)
			i, err = comma(b, i, ']')
		}
	}
	i, err = closed(b, i, err)
	return list, i, err
}

// plain returns the value of a quoted string.
func plain(quoted []byte) ([]byte, error) {
	t := quoted[1 : len(quoted)-1]
	if control(t) {
		return nil, errJSON
	}
	if bytes.IndexByte(t, '\\') < 0 {
		return t, nil
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return nil, errJSON
	}
	return []byte(s), nil
}

// open returns the offset of the first member or element.
func open(b []byte, i int, bracket byte) (int, error) {
	if i = skipSpace(b, i); i == len(b) || b[i] != bracket {
		return i, errJSON
	}
	return skipSpace(b, i+1), nil
}

// closed passes the closing bracket.
func closed(b []byte, i int, err error) (int, error) {
	if err == nil && i == len(b) {
		err = errJSON
	}
	return i + 1, err
}

// comma passes the comma after a member, or stays at the closing bracket.
func comma(b []byte, i int, bracket byte) (int, error) {
	i = skipSpace(b, i)
	if i < len(b) && b[i] == bracket {
		return i, nil
	}
	if i == len(b) || b[i] != ',' {
		return i, errJSON
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == bracket {
		return i, errJSON
	}
	return i, nil
}

// skipSpace returns the offset of the first byte that is not white space.
func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// Skip returns the offset after the value at i. It balances brackets and passes
// strings; it does not check that the rest is JSON.
func Skip(b []byte, i int) (int, error) {
	start, depth := i, 0
	for i < len(b) {
		switch b[i] {
		case '"':
			next, err := quoted(b, i)
			if err != nil {
				return i, err
			}
			i = next - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return scalar(start, i)
			}
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return scalar(start, i)
			}
		}
		i++
		if depth == 0 && (b[i-1] == '"' || b[i-1] == '}' || b[i-1] == ']') {
			return i, nil
		}
	}
	if depth > 0 {
		return i, errJSON
	}
	return scalar(start, i)
}

func scalar(start, end int) (int, error) {
	if start == end {
		return end, errJSON
	}
	return end, nil
}

// quoted returns the offset after the string that begins at i: after the first
// quote that follows an even number of backslashes.
func quoted(b []byte, i int) (int, error) {
	for from := i + 1; ; {
		n := bytes.IndexByte(b[from:], '"')
		if n < 0 {
			return len(b), errJSON
		}
		end := from + n
		slashes := 0
		for end-slashes-1 > i && b[end-slashes-1] == '\\' {
			slashes++
		}
		if from = end + 1; slashes%2 == 0 {
			return from, nil
		}
	}
}

// control reports whether a string holds a raw control character, which JSON
// forbids. It looks at 16 bytes at a time: subtracting 0x20 from a smaller byte
// sets its highest bit.
func control(t []byte) bool {
	const blanks, high = 0x2020202020202020, 0x8080808080808080
	var found uint64
	i := 0
	for ; i+16 <= len(t); i += 16 {
		v, w := binary.LittleEndian.Uint64(t[i:]), binary.LittleEndian.Uint64(t[i+8:])
		found |= (v-blanks)&^v | (w-blanks)&^w
	}
	for _, c := range t[i:] {
		if c < ' ' {
			return true
		}
	}
	return found&high != 0
}
