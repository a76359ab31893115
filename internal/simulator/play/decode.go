package play

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
)

// DecodeObject decodes text that is one JSON object. Numbers are json.Number.
func DecodeObject(text []byte) (map[string]any, error) { return DecodeWithout(text, Span{}) }

// DecodeWithout decodes a body as if the array at tokens were empty.
func DecodeWithout(body []byte, tokens Span) (map[string]any, error) {
	parts := io.Reader(bytes.NewReader(body))
	if !tokens.Empty() {
		parts = io.MultiReader(bytes.NewReader(body[:tokens.Start]), strings.NewReader("[]"), bytes.NewReader(body[tokens.End:]))
	}
	dec := json.NewDecoder(parts)
	dec.UseNumber()
	var root map[string]any
	if err := dec.Decode(&root); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF || root == nil {
		return nil, errJSON
	}
	return root, nil
}

// Inside returns the object to which keys lead through objects, or nil.
func Inside(m map[string]any, keys ...string) map[string]any {
	for _, k := range keys {
		m, _ = m[k].(map[string]any)
	}
	return m
}

// Filled reports whether a member is a string that is not empty.
func Filled(m map[string]any, key string) bool {
	s, _ := m[key].(string)
	return s != ""
}
