package body_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/vendors/body"
)

var digits = regexp.MustCompile(`^[0-9]{1,10}$`)

func TestValuesWithAndWithoutQuotesAreRead(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, raw, text, code, id string }{
		{"a string", `"80000000"`, "80000000", "80000000", "80000000"},
		{"a number", `80000000`, "80000000", "80000000", "80000000"},
		{"an escape in a string", `"\u0061b"`, "ab", "", "ab"},
		{"no value", ``, "", "", ""},
		{"null", `null`, "null", "", ""},
		{"an empty string", `""`, "", "", ""},
		{"a string with a space", `"a b"`, "a b", "", ""},
		{"a string with a line end", `"1\n"`, "1\n", "", ""},
		{"characters beyond ASCII", `"汉"`, "汉", "", ""},
		{"a negative number", `-5`, "-5", "", "-5"},
		{"128 characters", `"` + strings.Repeat("x", 128) + `"`, strings.Repeat("x", 128), "", strings.Repeat("x", 128)},
		{"129 characters", `"` + strings.Repeat("x", 129) + `"`, strings.Repeat("x", 129), "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			raw := json.RawMessage(tt.raw)
			if text, code, id := body.Decode(raw), body.Code(raw, digits), body.ID(raw); text != tt.text || code != tt.code || id != tt.id {
				t.Errorf("got text %q, code %q, id %q, want %q, %q, %q", text, code, id, tt.text, tt.code, tt.id)
			}
		})
	}
}

func TestSecondsAreLimited(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]time.Duration{
		`3600`: time.Hour, `"3600"`: time.Hour, `86400`: 24 * time.Hour, `86401`: 24 * time.Hour, `9223372036854775807`: 24 * time.Hour,
		`0`: 0, `-1`: 0, `1.5`: 0, `1e3`: 0, `null`: 0, ``: 0, `"soon"`: 0, `9223372036854775808`: 0,
	} {
		if got := body.Seconds(json.RawMessage(raw), 24*time.Hour); got != want {
			t.Errorf("%s is %v, want %v", raw, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{`"a"`, `1`, `null`, `{"a":[]}`, `"\ud800"`, `"`, `"a"b`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s string
		switch text := body.Decode(raw); {
		case len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) != nil:
			if text != "" {
				t.Errorf("%q, which is not JSON, is %q", raw, text)
			}
		case len(raw) > 0 && raw[0] == '"':
			if text != s {
				t.Errorf("%q is %q, want %q", raw, text, s)
			}
		case text != string(raw):
			t.Errorf("%q is %q, want it unchanged", raw, text)
		}
		if id := body.ID(raw); id != "" && !body.Printable(id) {
			t.Errorf("the id of %q is %q", raw, id)
		}
	})
}
