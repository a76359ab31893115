package play

import (
	"encoding/json"
	"slices"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestScannerFindsWhatADecoderFinds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.String(), 1, 20).Draw(t, "tokens")
		before := rapid.StringMatching(`[{}\[\]",:\\a]{0,12}`).Draw(t, "before")
		list, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		noise, _ := json.Marshal(before)
		body := []byte(`{"a":` + string(noise) + `,"n":[{"token":["x"]},-1e3,null], "message" :{"data":` + string(noise) + `,"token":` + string(list) + `},"z":true}`)
		var found [][]byte
		end, err := Members(body, 0, func(key []byte, i int) (int, error) {
			if string(key) != "message" {
				return Skip(body, i)
			}
			return Members(body, i, func(key []byte, i int) (end int, err error) {
				if string(key) != "token" {
					return Skip(body, i)
				}
				found, end, err = Texts(body, i, nil)
				return end, err
			})
		})
		if end != len(body) {
			t.Fatalf("got the end at %d of %d", end, len(body))
		}
		got := make([]string, len(found))
		for i, f := range found {
			got[i] = string(f)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	})
}

func TestScannerRefusesWhatIsNoListOfStrings(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `[`, `["a"`, `["a",`, `["a",]`, `[,]`, `["a" "b"]`, `["a"}`, `{"a"]`, `[1]`, `[["a"]]`, `["\x"]`, "[\"\t\"]", "[\"0123456789\x1fabcdef\"]", `"a"`, `["a\"]`} {
		if got, _, err := Texts([]byte(body), 0, nil); err == nil {
			t.Errorf("%s: got %q, want an error", body, got)
		}
	}
	if got, end, err := Texts([]byte(` [ ] `), 0, nil); err != nil || end != 4 || len(got) != 0 {
		t.Errorf("an empty list: got %q, %d, %v", got, end, err)
	}
}

// FuzzTexts checks the scanner of strings against encoding/json.
func FuzzTexts(f *testing.F) {
	f.Add([]byte(`["a","b\u00e9\"","12345678\\","123456789"]`))
	f.Add([]byte(`["a",]`))
	f.Add([]byte("[\"\x1f\"]"))
	f.Add([]byte(`[null]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, end, err := Texts(body, 0, nil)
		end = skipSpace(body, min(end, len(body)))
		var want []*string
		if json.Unmarshal(body, &want) != nil || slices.Contains(want, nil) || want == nil {
			if err == nil && end == len(body) {
				t.Errorf("%q: got %q, want an error", body, got)
			}
			return
		}
		if err != nil || end != len(body) || len(got) != len(want) {
			t.Fatalf("%q: got %q up to %d, %v; want %d strings", body, got, end, err, len(want))
		}
		for i := range got {
			if string(got[i]) != *want[i] && utf8.Valid(body) {
				t.Errorf("%q: got %q, want %q", body, got[i], *want[i])
			}
		}
	})
}
