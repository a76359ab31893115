package text_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/postrider/postrider/pkg/push/text"
)

const half = `, half of a surrogate pair, without the other half: write both, like \ud83d\ude00, or the character itself`

func TestInJSONFindsWhatIsNotText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, data string
		want       []string
	}{
		{"nothing", ``, nil},
		{"text", `{"a":"\ud83d\ude00 \\ud83d \u4e2d","b":["\n"]}`, nil},
		{"a fault of syntax", `{"a":`, nil},
		{"half a pair", `{"a":"x","b":{"c":"\ud83d"}}`, []string{`b.c: holds \ud83d` + half}},
		{"the other half", `{"a":"\ude00\ud83d"}`, []string{`a: holds \ude00` + half}},
		{"two first halves", `{"a":"\ud83d\ud83d\ude00"}`, []string{`a: holds \ud83d` + half}},
		{"half a pair after a backslash", `{"a":"\\\uD83D"}`, []string{`a: holds \uD83D` + half}},
		{"half a pair and another escape", `{"a":"\ud83d\n"}`, []string{`a: holds \ud83d` + half}},
		{"in a list", `{"a":["x","\ud83d"],"b":[[1,{"c":"\ud83d"}]]}`, []string{`a.[2]: holds \ud83d` + half, `b.[1].[2].c: holds \ud83d` + half}},
		{"in a key", `{"a":{"\ud83d":1}}`, []string{`a: a key in it holds \ud83d` + half}},
		{"GBK", "{\"a\":\"\xc9\xcc\",\"b\":1}", []string{"a: is not UTF-8, it looks like GBK: write UTF-8"}},
		{"GBK that breaks the syntax", "{\"a\":{\"b\":\"\xc0\x5c\"}}", []string{"a.b: is not UTF-8, it looks like GBK: write UTF-8"}},
		{"bytes outside of a string", "\xff{}", []string{": is not UTF-8: write UTF-8"}},
		{"several", "{\"a\":\"\xff\",\"b\":\"\\ud83d\"}", []string{"a: is not UTF-8: write UTF-8", `b: holds \ud83d` + half}},
		{"the text itself", `"\ud83d"`, []string{`: holds \ud83d` + half}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for path, why := range text.InJSON([]byte(c.data)) {
				got = append(got, strings.Join(path, ".")+": "+why)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// What InJSON lets through encoding/json reads as it was written.
func FuzzInJSON(f *testing.F) {
	f.Add([]byte(`{"a":["\ud83d\ude00",{"b":"\ud83d"}],"c":"\\ud83d"}`))
	f.Add([]byte("{\"a\":\"\xc0\x5c\"}"))
	f.Add([]byte("[\"\xff\"]"))
	f.Add([]byte(`]}[{`))
	f.Fuzz(func(t *testing.T, data []byte) {
		faults := 0
		for range text.InJSON(data) {
			faults++
		}
		var v any
		if json.Unmarshal(data, &v) != nil {
			return
		}
		replaced := lost(v) && !strings.Contains(string(data), "\ufffd") && !strings.Contains(strings.ToLower(string(data)), `\ufffd`)
		if clean := utf8.Valid(data) && faults == 0; clean && replaced {
			t.Errorf("%q has no fault, and reads as %q", data, v)
		}
		if faults > 0 && !lost(v) {
			t.Errorf("%q has %d faults, and nothing of it was replaced", data, faults)
		}
	})
}

// lost reports whether some string of a decoded JSON value holds U+FFFD.
func lost(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, "\ufffd")
	case []any:
		return slices.ContainsFunc(v, lost)
	case map[string]any:
		for k, e := range v {
			if lost(k) || lost(e) {
				return true
			}
		}
	}
	return false
}
