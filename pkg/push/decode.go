package push

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/postrider/postrider/pkg/push/text"
)

// DecodeJob reads one job from JSON, strictly: an unknown or misspelled field
// is an error, and so are text that is not UTF-8 and anything after the job. A
// byte order mark is accepted. The error is an *InvalidError that names the field.
//
// A token that is not text is not an error here: the Client refuses that token only.
func DecodeJob(data []byte) (Job, error) {
	data = text.TrimMark(data)
	var j Job
	if f := decode(data, &j); len(f) > 0 {
		return Job{}, &InvalidError{Job: looseID(data), Faults: f}
	}
	return j, nil
}

// DecodeMessage reads one message from JSON, as strictly as DecodeJob.
func DecodeMessage(data []byte) (Message, error) {
	var m Message
	if f := decode(text.TrimMark(data), &m); len(f) > 0 {
		return Message{}, &InvalidError{Faults: f}
	}
	return m, nil
}

func decode(data []byte, v any) []Fault {
	if text.Wide(data) != "" {
		return []Fault{{Reason: text.Fault(data)}}
	}
	if f := notText(data); len(f) > 0 {
		return f
	}
	if f := decodeText(data, v); f != nil {
		return []Fault{*f}
	}
	return nil
}

// notText reports every string that encoding/json would silently change, except the
// tokens of a job: those are checked one by one.
func notText(data []byte) []Fault {
	var f faults
	for path, why := range text.InJSON(data) {
		if token := len(path) == 3 && path[0] == "targets"; !token {
			f.add(fieldName(path), why)
		}
	}
	return f
}

// fieldName joins a path of keys and of positions like "[1]".
func fieldName(path []string) string {
	var b strings.Builder
	for i, key := range path {
		if isPosition(key) {
			b.WriteString(key)
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(text.Name(key))
	}
	return b.String()
}

func isPosition(key string) bool {
	digits, opened := strings.CutPrefix(key, "[")
	digits, closed := strings.CutSuffix(digits, "]")
	_, err := strconv.Atoi(digits)
	return opened && closed && err == nil
}

func decodeText(data []byte, v any) *Fault {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return jsonFault(err, data)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &Fault{Reason: "something follows the JSON object: want exactly one object"}
	}
	return nil
}

// jsonFault turns an error of encoding/json into one that names the field.
func jsonFault(err error, data []byte) *Fault {
	var typ *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &typ):
		// A number comes with its digits, which may be a user's.
		kind, digits, _ := strings.Cut(typ.Value, " ")
		is := strings.TrimSpace(kind + " " + text.Name(digits))
		return &Fault{Field: typ.Field, Reason: fmt.Sprintf("is a JSON %s, want %s", is, jsonName(typ.Type.String()))}
	case errors.As(err, &syntax):
		return &Fault{Reason: fmt.Sprintf("is not JSON: %v at byte %d", syntax, syntax.Offset)}
	case errors.Is(err, io.EOF):
		return &Fault{Reason: "is empty: want a JSON object"}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Fault{Reason: "is not JSON: it breaks off"}
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		if plain, err := strconv.Unquote(name); err == nil {
			name = plain
		}
		return &Fault{Field: text.Name(name), Reason: "is not a field: see docs/job.md for those that are"}
	}
	if f := timeFault(data); f != nil {
		return f
	}
	return &Fault{Reason: strings.TrimPrefix(err.Error(), "json: ")}
}

// timeFault finds the time or duration that cannot be read: their own methods read
// them, and the errors of those do not name the field.
func timeFault(data []byte) *Fault {
	var have struct {
		NotBefore json.RawMessage `json:"not_before"`
		ExpiresAt json.RawMessage `json:"expires_at"`
		TTL       json.RawMessage `json:"ttl"`
		Message   struct {
			TTL json.RawMessage `json:"ttl"`
		} `json:"message"`
	}
	_ = json.Unmarshal(data, &have) // other faults are reported elsewhere
	const timeWant, durationWant = `is not a time: write it like "2026-11-21T09:00:00+08:00"`, "is not " + durationForm
	for _, p := range []struct {
		raw  json.RawMessage
		into any
		Fault
	}{
		{have.NotBefore, &time.Time{}, Fault{"not_before", timeWant}},
		{have.ExpiresAt, &time.Time{}, Fault{"expires_at", timeWant}},
		{have.Message.TTL, new(Duration), Fault{"message.ttl", durationWant}},
		{have.TTL, new(Duration), Fault{"ttl", durationWant}},
	} {
		if p.raw != nil && json.Unmarshal(p.raw, p.into) != nil {
			return &p.Fault
		}
	}
	return nil
}

const durationForm = `a duration: write it like "90s", "15m" or "24h"`

func jsonName(goType string) string {
	switch {
	case strings.HasSuffix(goType, "push.Duration"):
		return durationForm
	case strings.HasPrefix(goType, "map"), strings.HasPrefix(goType, "push."), strings.HasPrefix(goType, "*push."):
		return "an object or word as documented"
	case strings.HasPrefix(goType, "[]"):
		return "an array"
	case strings.Contains(goType, "int"):
		return "a whole number"
	case goType == "bool":
		return "true or false"
	}
	return "a string"
}

// looseID finds the id of a job that cannot be decoded otherwise, for error reports.
func looseID(data []byte) string {
	var j struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(data, &j) != nil {
		return ""
	}
	return j.ID
}
