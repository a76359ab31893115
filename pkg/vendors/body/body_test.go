package body_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/pkg/vendors/body"
)

func TestEncodeDoesNotEscapeHTML(t *testing.T) {
	t.Parallel()
	got, err := body.Encode(map[string]string{"a": "<b>&汉"})
	if want := `{"a":"<b>&汉"}`; string(got) != want || err != nil {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
	if got, err := body.Encode(make(chan int)); err == nil {
		t.Errorf("got %s for a channel, want an error", got)
	}
}

func TestDataIsAnObject(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		data map[string]string
		want string
	}{
		{"no data", nil, `{}`},
		{"an empty map", map[string]string{}, `{}`},
		{"in the order of its keys, without escapes of HTML", map[string]string{"b": "<&>", "a": "1"}, `{"a":"1","b":"<&>"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, err := body.Data(tt.data); got != tt.want || err != nil {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
		})
	}
}

func TestAppendStringEscapesOnlyWhatJSONRequires(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, s, want string }{
		{"nothing", "", `""`},
		{"a token", "IQAAAA+/=:_-", `"IQAAAA+/=:_-"`},
		{"HTML characters", "<&>", `"<&>"`},
		{"quotes and backslashes", `a"b\c`, `"a\"b\\c"`},
		{"control characters", "\x00\n\x1f\x7f", "\"\\u0000\\u000a\\u001f\x7f\""},
		{"characters of several bytes", "汉字🚚", `"汉字🚚"`},
		{"a replacement character that was sent", "\ufffd", "\"\ufffd\""},
		{"broken UTF-8, a character for each byte", "a\xff\xfeb\xe6", "\"a\ufffd\ufffdb\ufffd\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := string(body.AppendString([]byte("x"), tt.s)); got != "x"+tt.want {
				t.Errorf("got %s, want x%s", got, tt.want)
			}
		})
	}
}

// AppendString checks eight bytes together, so every byte is tried at every index.
func TestEveryByteIsWrittenAsEncodingJSONDoes(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for at := range 18 {
			b := []byte("0123456789abcdefgh")
			b[at] = byte(c)
			var want bytes.Buffer
			e := json.NewEncoder(&want)
			e.SetEscapeHTML(false)
			if err := e.Encode(string(b)); err != nil {
				t.Fatal(err)
			}
			var same, got string
			text := body.AppendString(nil, string(b))
			if json.Unmarshal(want.Bytes(), &same) != nil || json.Unmarshal(text, &got) != nil || got != same || !utf8.Valid(text) {
				t.Fatalf("byte %#x at %d is written %q, encoding/json has %q", c, at, text, want.Bytes())
			}
		}
	}
}

func FuzzAppendString(f *testing.F) {
	for _, seed := range []string{"", "plain", `quote " and \`, "\x00\x1f\x7f", "汉字🚚", "\xff\xfe", "<&>\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(body.AppendString(nil, s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if want := string([]rune(s)); got != want {
			t.Errorf("%q came back as %q, want %q", s, got, want)
		}
	})
}

func TestTokensFollowTheMessage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, head, msg, open string
		tokens                []string
		tail, want            string
	}{
		{"after its members", "", `{"a":1}`, `"token":[`, []string{"x", "y"}, `]}`, `{"a":1,"token":["x","y"]}`},
		{"in an empty message", "", `{}`, `"token":[`, []string{"x"}, `]}`, `{"token":["x"]}`},
		{"inside another object", `{"message":`, `{"a":1}`, `"token":[`, []string{`"`}, `]}}`, `{"message":{"a":1,"token":["\""]}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := string(body.WithTokens(tt.head, []byte(tt.msg), tt.open, tt.tokens, tt.tail)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestATokenCostsNoAllocation(t *testing.T) {
	tokens := make([]string, 1000)
	for i := range tokens {
		tokens[i] = strings.Repeat("t", 1+i)
	}
	msg := []byte(`{"a":1}`)
	if n := testing.AllocsPerRun(10, func() { body.WithTokens("", msg, `"token":[`, tokens, `]}`) }); n != 1 {
		t.Errorf("got %v allocations for 1,000 tokens, want 1", n)
	}
}

func TestNotifyIDIsTheSameOnEveryRetry(t *testing.T) {
	t.Parallel()
	first, again, other := body.NotifyID("", "a"), body.NotifyID("", "a"), body.NotifyID("", "b")
	if first != again || first == other {
		t.Error("without a collapse id, want a different id for each key")
	}
	if body.NotifyID("order-42", "a") != body.NotifyID("order-42", "b") {
		t.Error("with a collapse id, want one id for all keys")
	}
	rapid.Check(t, func(t *rapid.T) {
		if id := body.NotifyID("", rapid.String().Draw(t, "key")); id < 1 || id > 1<<31-1 {
			t.Fatalf("got %d, want 1 to 2147483647", id)
		}
	})
}
