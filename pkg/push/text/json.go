package text

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// InJSON yields the invalid strings of a JSON text: each with its path (keys, and
// positions of array elements from 1 as "[1]") and what is wrong with it. For an
// invalid key the path is its object's.
//
// It exists because encoding/json silently replaces invalid UTF-8 and unpaired
// surrogates by U+FFFD. Syntax errors yield nothing, unless invalid UTF-8 may be
// their cause.
func InJSON(data []byte) iter.Seq2[[]string, string] {
	return func(yield func([]string, string) bool) {
		if utf8.Valid(data) && halfPair(data) == "" {
			return
		}
		w := walker{data: data, dec: json.NewDecoder(bytes.NewReader(data))}
		found, ended := w.walk(yield)
		if !found && !ended && !utf8.Valid(data) {
			yield(w.path(), encodingFault(data))
		}
	}
}

// encodingFault is Fault for one field of a JSON text.
func encodingFault(data []byte) string {
	if looksLikeGBK(data) {
		return "is not UTF-8, it looks like GBK: write UTF-8"
	}
	return "is not UTF-8: write UTF-8"
}

// walker reads a JSON text token by token.
type walker struct {
	data  []byte
	dec   *json.Decoder
	outer []level
}

// level is one object or array that is not closed yet.
type level struct {
	object bool
	inKey  bool // of an object: the next string is a key
	key    string
	n      int // of an array: elements begun
}

func (w *walker) path() []string {
	path := make([]string, 0, len(w.outer))
	for _, l := range w.outer {
		switch {
		case !l.object:
			path = append(path, "["+strconv.Itoa(l.n)+"]")
		case !l.inKey:
			path = append(path, l.key)
		}
	}
	return path
}

// walk yields the invalid strings. found: there was one; ended: the text was read to
// its end, or the caller stopped.
func (w *walker) walk(yield func([]string, string) bool) (found, ended bool) {
	for {
		before := w.dec.InputOffset()
		t, err := w.dec.Token()
		if err != nil {
			return found, errors.Is(err, io.EOF) && len(w.outer) == 0
		}
		s, isString := t.(string)
		isKey := isString && w.top() != nil && w.top().object && w.top().inKey
		if !isKey && t != json.Delim('}') && t != json.Delim(']') {
			w.begin()
		}
		if isString {
			if why := stringFault(w.data, w.data[before:w.dec.InputOffset()]); why != "" {
				found = true
				if isKey {
					why = "a key in it " + why
				}
				if !yield(w.path(), why) {
					return true, true
				}
			}
		}
		w.step(t, s, isKey)
	}
}

func (w *walker) top() *level {
	if len(w.outer) == 0 {
		return nil
	}
	return &w.outer[len(w.outer)-1]
}

// begin counts a value in its array.
func (w *walker) begin() {
	if l := w.top(); l != nil && !l.object {
		l.n++
	}
}

// step updates the position in the text after a token.
func (w *walker) step(t json.Token, s string, isKey bool) {
	switch {
	case isKey:
		l := w.top()
		l.key, l.inKey = s, false
		return
	case t == json.Delim('{'):
		w.outer = append(w.outer, level{object: true, inKey: true})
		return
	case t == json.Delim('['):
		w.outer = append(w.outer, level{})
		return
	case t == json.Delim('}'), t == json.Delim(']'):
		w.outer = w.outer[:len(w.outer)-1]
	}
	if l := w.top(); l != nil && l.object {
		l.inKey = true
	}
}

// stringFault checks one string of data, in its encoded form.
func stringFault(data, raw []byte) string {
	if !utf8.Valid(raw) {
		return encodingFault(data)
	}
	if half := halfPair(raw); half != "" {
		return fmt.Sprintf(`holds %s, half of a surrogate pair, without the other half: write both, like \ud83d\ude00, or the character itself`, half)
	}
	return ""
}

// halfPair returns the first escape like \ud83d that is one half of a surrogate pair
// without the other; "": there is none.
func halfPair(data []byte) string {
	for {
		at := bytes.IndexByte(data, '\\')
		if at < 0 {
			return ""
		}
		data = data[at:]
		first, ok := escape(data)
		switch {
		case !ok:
			data = data[min(2, len(data)):]
			continue
		case !utf16.IsSurrogate(first):
			data = data[6:]
			continue
		}
		second, ok := escape(data[6:])
		if !ok || utf16.DecodeRune(first, second) == utf8.RuneError {
			return string(data[:6])
		}
		data = data[12:]
	}
}

// escape reads an escape \uXXXX at the start of data.
func escape(data []byte) (rune, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return rune(n), err == nil
}
