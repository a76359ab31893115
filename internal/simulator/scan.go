package simulator

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
)

// A body holds a thousand tokens and little else. The scanner finds them in
// one pass without decoding; encoding/json reads what is left after they were
// cut out, and says what is wrong with it.

// errJSON is the only thing the scanner says of bad JSON.
var errJSON = errors.New("not JSON")

// span is a piece of a body, from start up to end.
type span struct{ start, end int }

func (s span) empty() bool { return s.end == 0 }

// visitor is told of an object's member: its key as written, without the
// quotes, and where its value begins. It returns the place behind the value.
type visitor func(key []byte, i int) (int, error)

// members visits the members of the object that begins at i, in order, and
// returns the place behind it.
func members(b []byte, i int, visit visitor) (int, error) {
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
		if i = blank(b, i); i == len(b) || b[i] != ':' {
			return i, errJSON
		}
		if i, err = visit(key, blank(b, i+1)); err == nil {
			i, err = comma(b, i, '}')
		}
	}
	return closed(b, i, err)
}

// texts appends the strings of the array that begins at i to list, and returns
// the place behind the array. Strings without escapes are pieces of b. It is
// errJSON when there is anything but strings.
func texts(b []byte, i int, list [][]byte) ([][]byte, int, error) {
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

// plain returns what a quoted string means.
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

// open returns the place of the first member or element.
func open(b []byte, i int, bracket byte) (int, error) {
	if i = blank(b, i); i == len(b) || b[i] != bracket {
		return i, errJSON
	}
	return blank(b, i+1), nil
}

// closed passes the closing bracket.
func closed(b []byte, i int, err error) (int, error) {
	if err == nil && i == len(b) {
		err = errJSON
	}
	return i + 1, err
}

// comma passes the comma behind a member, or stays at the closing bracket.
func comma(b []byte, i int, bracket byte) (int, error) {
	i = blank(b, i)
	if i < len(b) && b[i] == bracket {
		return i, nil
	}
	if i == len(b) || b[i] != ',' {
		return i, errJSON
	}
	if i = blank(b, i+1); i < len(b) && b[i] == bracket {
		return i, errJSON
	}
	return i, nil
}

func blank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skip returns the place behind the value at i. It balances brackets and passes
// strings; that what is between is JSON, it does not check.
func skip(b []byte, i int) (int, error) {
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
				return some(start, i)
			}
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return some(start, i)
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
	return some(start, i)
}

func some(start, end int) (int, error) {
	if start == end {
		return end, errJSON
	}
	return end, nil
}

// quoted returns the place behind the string that begins at i: behind the first
// quote that an even number of backslashes stands before.
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

// control tells whether a string holds a raw control character, which JSON
// forbids. It looks at many bytes at a time: taking 0x20 from a byte that is
// less borrows into the highest bit.
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
