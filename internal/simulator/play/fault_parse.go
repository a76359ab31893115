package play

import (
	"bytes"
	"encoding/json"
	"strings"
)

// ParseFaults reads rules from a JSON array of rules, or a single rule. A
// *FaultError names the field that is unknown or has the wrong type. SetFaults and
// AddFaults check whether a rule makes sense.
func ParseFaults(text []byte) ([]Fault, error) {
	if text = bytes.TrimSpace(text); len(text) > 0 && text[0] == '{' {
		text = bytes.Join([][]byte{{'['}, text, {']'}}, nil)
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, &FaultError{Field: "faults", Reason: "must be a JSON array of rules: " + err.Error()}
	}
	faults := make([]Fault, len(raw))
	for i, one := range raw {
		if err := parseFault(one, &faults[i]); err != nil {
			return nil, &FaultError{Field: faultField(i, err.Field), Reason: err.Reason}
		}
	}
	return faults, nil
}

// parseFault decodes a rule member by member, so that an error can name one.
func parseFault(text []byte, f *Fault) *FaultError {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return &FaultError{Reason: "must be an object"}
	}
	for name, value := range members {
		one, _ := json.Marshal(map[string]json.RawMessage{name: value}) // it was JSON before
		dec := json.NewDecoder(bytes.NewReader(one))
		dec.DisallowUnknownFields()
		if err := dec.Decode(f); err != nil {
			return &FaultError{Field: name, Reason: strings.TrimPrefix(err.Error(), "json: ")}
		}
	}
	return nil
}
