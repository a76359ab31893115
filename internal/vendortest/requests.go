package vendortest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/pkg/push"
)

// MeasuresWhatIsSent fails the test unless check refuses every message whose
// request has over most bytes, and accepts a message of exactly most bytes. size
// returns the counted bytes of the request for a message and its time to live.
// longest is the largest size of a request for title "t" and body "b".
func MeasuresWhatIsSent(t *testing.T, check func(*push.Message) []push.Fault, size func(*push.Message, time.Duration) (int, error), longest, most int) {
	m := &push.Message{Title: "t", Body: "b" + strings.Repeat("x", most-longest)}
	if faults := check(m); len(faults) != 0 {
		t.Errorf("a message of %d bytes has faults: %v", most, faults)
	}
	m.Body += "x"
	if faults := check(m); len(faults) != 1 {
		t.Errorf("a message of %d bytes has the faults %v, want one", most+1, faults)
	}
	rapid.Check(t, func(t *rapid.T) {
		m := &push.Message{
			Title: rapid.StringN(1, 50, -1).Draw(t, "title"), Body: rapid.StringN(1, 5000, -1).Draw(t, "body"),
			CollapseID: rapid.String().Draw(t, "collapse id"),
		}
		n, err := size(m, time.Duration(rapid.Int64Min(1).Draw(t, "ttl")))
		if err != nil {
			t.Fatal(err)
		}
		if len(check(m)) == 0 && n > most {
			t.Fatalf("a message that passed has %d bytes", n)
		}
	})
}

// TokensSurvive fails the test unless any tokens can be read unchanged from the
// JSON body that request returns. path names the members that lead to their array.
func TokensSurvive(t *testing.T, request func(tokens []string) ([]byte, error), path ...string) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.String(), 1, 20).Draw(t, "tokens")
		body, err := request(want)
		if err != nil {
			t.Fatal(err)
		}
		if got := stringsAt(body, path); !slices.Equal(got, want) {
			t.Fatalf("got %q in %s, want %q", got, body, want)
		}
	})
	body, err := request([]string{"a\xffb\xc3", "c\u2028\x01"})
	if got, want := stringsAt(body, path), []string{"a\ufffdb\ufffd", "c\u2028\x01"}; err != nil || !utf8.Valid(body) || !slices.Equal(got, want) {
		t.Errorf("broken UTF-8: got %q in %q (%v), want %q in UTF-8", got, body, err, want)
	}
}

// stringsAt returns the array of strings at a path. nil: there is no such array.
func stringsAt(doc json.RawMessage, path []string) []string {
	for _, name := range path {
		var object map[string]json.RawMessage
		if json.Unmarshal(doc, &object) != nil {
			return nil
		}
		doc = object[name]
	}
	var list []string
	if json.Unmarshal(doc, &list) != nil {
		return nil
	}
	return list
}
