package body_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/vendors/body"
)

var overrides = body.Overrides{
	Field:    "message.overrides.somebody",
	Into:     "the request's message",
	Reserved: []string{"token", "pushIds"},
	Because:  "the job's targets say who gets the message",
}

func TestMergeFollowsRFC7396(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, base, override, want string }{
		{"nothing changes nothing", `{"b":1,"a":2}`, ``, `{"b":1,"a":2}`},
		{"a field is added", `{"a":1}`, `{"b":2}`, `{"a":1,"b":2}`},
		{"a field is replaced", `{"a":1}`, `{"a":"x"}`, `{"a":"x"}`},
		{"objects merge", `{"a":{"b":1,"c":2}}`, `{"a":{"c":3}}`, `{"a":{"b":1,"c":3}}`},
		{"null removes", `{"a":{"b":1,"c":2}}`, `{"a":{"c":null}}`, `{"a":{"b":1}}`},
		{"null in a new object is no field", `{}`, `{"a":{"b":null}}`, `{"a":{}}`},
		{"an object replaces a value", `{"a":1}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
		{"lists are replaced whole", `{"a":[1,2]}`, `{"a":[3]}`, `{"a":[3]}`},
		{"numbers stay as written", `{}`, `{"a":1.50,"b":12345678901234567890}`, `{"a":1.50,"b":12345678901234567890}`},
		{"nothing is escaped for HTML", `{}`, `{"a":"<&>"}`, `{"a":"<&>"}`},
		{"a reserved name below the root is any name", `{}`, `{"a":{"token":1}}`, `{"a":{"token":1}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := overrides.Merge(json.RawMessage(tt.base), []byte(tt.override))
			if string(got) != tt.want || err != nil {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
		})
	}
}

func TestFaultsNameTheKeyAndTheReason(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, override string
		want           []string
	}{
		{"an empty override has no fault", ``, nil},
		{"an object has no fault", `{"a":1}`, nil},
		{"a list", `[]`, []string{"message.overrides.somebody must be a JSON object: it is merged into the request's message"}},
		{"null", `null`, []string{"message.overrides.somebody must be a JSON object: it is merged into the request's message"}},
		{"a text after the object", `{} x`, []string{"message.overrides.somebody must be a JSON object: it is merged into the request's message"}},
		{"reserved keys in any case, in order", `{"token":1,"a":2,"PUSHIDS":null}`, []string{
			"message.overrides.somebody.PUSHIDS cannot be overridden: the job's targets say who gets the message",
			"message.overrides.somebody.token cannot be overridden: the job's targets say who gets the message",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range overrides.Faults([]byte(tt.override)) {
				got = append(got, f.Field+" "+f.Reason)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzMerge(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{"a":{"b":null}}`, `{"a":null}`, `{"token":[]}`, `{"TOKEN":1}`, `[]`, `null`, `{"a":1e999}`, `{} x`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, override []byte) {
		out, err := overrides.Merge(json.RawMessage(`{"a":{"b":"c"},"d":1}`), override)
		if faults := overrides.Faults(override); (err != nil) != (len(faults) > 0) {
			t.Errorf("merge says %v, check says %v", err, faults)
		}
		if err != nil {
			return
		}
		var doc map[string]json.RawMessage
		if json.Unmarshal(out, &doc) != nil || doc == nil {
			t.Fatalf("got %s, want an object", out)
		}
		for key := range doc {
			if strings.EqualFold(key, "token") || strings.EqualFold(key, "pushids") {
				t.Errorf("%s has %s", out, key)
			}
		}
	})
}
