package vendortest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// Read reads a vendor's answer to a request to the tokens.
type Read func(reply httpx.Reply, tokens []string) (vendors.Answer, error)

// KeepsID fails the test unless the answer has the vendor's name for the request
// and the wait that the vendor asks for. The name is the JSON value %s of format. A
// value that cannot be a name must be left out.
func KeepsID(t *testing.T, read Read, format string) {
	for name, tt := range map[string]struct{ raw, want string }{
		"a string":             {`"1574-4095_5549"`, "1574-4095_5549"},
		"a number":             {`157440955549500001002006`, "157440955549500001002006"},
		"empty":                {`""`, ""},
		"null":                 {`null`, ""},
		"with a line break":    {`"1\n2"`, ""},
		"longer than any real": {`"` + strings.Repeat("1", 513) + `"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			HasID(t, read, fmt.Sprintf(format, tt.raw), tt.want)
		})
	}
}

// HasID fails the test unless the body of an answer to one token gives the
// request this name, and the wait that the vendor asks for is kept.
func HasID(t *testing.T, read Read, body, want string) {
	t.Helper()
	got, err := read(httpx.Reply{Status: 200, Body: []byte(body), RetryAfter: time.Second}, []string{"t"})
	if err != nil {
		t.Fatal(err)
	}
	if got.RequestID != want || got.RetryAfter != time.Second {
		t.Errorf("got id %q and wait %v, want %q and 1s", got.RequestID, got.RetryAfter, want)
	}
}

// HidesTokens fails the test unless the text of an answer is the vendor's text
// without tokens and secrets. The vendor's text is the JSON string %s of format;
// secrets are those that read was given.
func HidesTokens(t *testing.T, read Read, format string, secrets ...string) {
	tests := map[string]struct{ said, want string }{
		"plain text":                  {`"Illegal payload: 参数错误"`, "Illegal payload: 参数错误"},
		"a token":                     {`"bad token-1 here"`, "bad … here"},
		"a token that begins another": {`"bad token-12 here"`, "bad … here"},
		"a page is not a message":     {`"` + strings.Repeat("x", 9<<10) + `"`, ""},
		"control characters":          {`"a\u0000b\nc"`, "a b c"},
	}
	for _, s := range secrets {
		tests["the secret "+s] = struct{ said, want string }{`"key=` + s + ` is wrong"`, "key=… is wrong"}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := fmt.Sprintf(format, tt.said)
			got, err := read(httpx.Reply{Status: 200, Body: []byte(body)}, []string{"token-1", "token-12"})
			if err != nil || got.Code.Text != tt.want {
				t.Errorf("got text %q (%v), want %q", got.Code.Text, err, tt.want)
			}
		})
	}
}

// Whole fails the test unless an answer has a code, its tokens' codes are in
// order, and no text contains a secret or a token. Tokens under five characters
// are not looked for: they may be parts of words. Fuzz tests use it.
func Whole(t *testing.T, answer vendors.Answer, tokens []string, secrets ...string) {
	t.Helper()
	const word = 5
	for _, s := range tokens {
		if len(s) >= word {
			secrets = append(secrets, s)
		}
	}
	if answer.Code.Code == "" || contains(answer.Code.Text, secrets) {
		t.Errorf("got code %q, text %q", answer.Code.Code, answer.Code.Text)
	}
	last := -1
	for _, tc := range answer.Tokens {
		if tc.Index <= last || tc.Index >= len(tokens) || tc.Code.Code == "" || contains(tc.Code.Text, secrets) {
			t.Errorf("got token code %+v after index %d", tc, last)
		}
		last = tc.Index
	}
}

func contains(text string, secrets []string) bool {
	for _, s := range secrets {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// ByToken returns the codes by token. It fails the test if they are out of order.
// t is a *testing.T or a *rapid.T.
func ByToken(t interface{ Fatalf(string, ...any) }, codes []vendors.TokenCode, tokens []string) map[string]string {
	all := make(map[string]string, len(codes))
	for i, tc := range codes {
		if i > 0 && codes[i-1].Index >= tc.Index {
			t.Fatalf("index %d is after %d", tc.Index, codes[i-1].Index)
		}
		all[tokens[tc.Index]] = tc.Code.Code
	}
	return all
}
