package honor

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestReadAnswerKeepsRequestIDAndRetryAfter(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ raw, want string }{
		"a string":             {`"104000001-0f8fad5bd9cb469fa16570867728950e"`, "104000001-0f8fad5bd9cb469fa16570867728950e"},
		"a number":             {`157440955549500001002006`, "157440955549500001002006"},
		"empty":                {`""`, ""},
		"null":                 {`null`, ""},
		"with a line break":    {`"1\n2"`, ""},
		"longer than any real": {`"` + strings.Repeat("1", 129) + `"`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `{"code":200,"data":{"requestId":` + tt.raw + `}}`
			got, err := readAnswer(vendors.Reply{Status: 200, Body: []byte(body), RetryAfter: time.Second}, []string{"t"}, "a", "s")
			if err != nil {
				t.Fatal(err)
			}
			if got.RequestID != tt.want || got.RetryAfter != time.Second {
				t.Errorf("got request id %q and wait %v, want %q and 1s", got.RequestID, got.RetryAfter, tt.want)
			}
		})
	}
}

func TestAnswerTextIsTheVendorsWordsWithoutTokens(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ msg, want string }{
		"plain words":                 {`"Illegal payload"`, "Illegal payload"},
		"a token":                     {`"bad token-1 here"`, "bad … here"},
		"a token that begins another": {`"bad token-12 here"`, "bad … here"},
		"the access token":            {`"Bearer access-1 expired"`, "Bearer … expired"},
		"the secret":                  {`"of secret-1"`, "of …"},
		"a page is not words":         {`"` + strings.Repeat("x", 9<<10) + `"`, ""},
		"control characters":          {`"a\u0000b\nc"`, "a b c"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := fmt.Sprintf(`{"code":80100003,"message":%s}`, tt.msg)
			got, err := readAnswer(vendors.Reply{Status: 400, Body: []byte(body)}, []string{"token-1", "token-12"}, "access-1", "secret-1")
			if err != nil || got.Code.Text != tt.want {
				t.Errorf("got text %q (%v), want %q", got.Code.Text, err, tt.want)
			}
		})
	}
}

func TestTheListsOfOtherCodesNameNobody(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"80300007", "80300006", "500", "80000000"} {
		d := detail{ExpireTokens: json.RawMessage(`["a"]`), FailTokens: json.RawMessage(`["b"]`)}
		if got := tokenCodes(code, d, []string{"a", "b"}); len(got) != 0 {
			t.Errorf("%s: got %v, want every token under the request's own code", code, got)
		}
	}
}

// Whatever tokens were sent and listed, exactly the sent and listed ones have a
// code of their own, and none that failed is taken for expired.
func TestPartialFailureNamesExactlyTheSentTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[!-+\--:<-~]{1,40}`)
		tokens := rapid.SliceOfNDistinct(token, 1, 50, rapid.ID[string]).Draw(t, "tokens")
		some := rapid.SliceOf(rapid.SampledFrom(append([]string{"stranger of ours"}, tokens...)))
		fail, expire := some.Draw(t, "failTokens"), some.Draw(t, "expireTokens")
		body, err := json.Marshal(map[string]any{
			"code": rapid.SampledFrom([]int{200, 80100000}).Draw(t, "code"),
			"data": map[string]any{"sendResult": true, "failTokens": fail, "expireTokens": expire},
		})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := readAnswer(vendors.Reply{Status: 200, Body: body}, tokens, "access", "secret")
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for i, tc := range answer.Tokens {
			got[tokens[tc.Index]] = tc.Code.Code
			if i > 0 && answer.Tokens[i-1].Index >= tc.Index {
				t.Fatal("the codes are out of order")
			}
		}
		for _, token := range tokens {
			want := ""
			if slices.Contains(fail, token) {
				want = codeFailed
			} else if slices.Contains(expire, token) {
				want = codeExpired
			}
			if got[token] != want {
				t.Fatalf("%q has the code %q, want %q", token, got[token], want)
			}
		}
	})
}

func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"code":200,"message":"success","data":{"sendResult":true,"requestId":"1","failTokens":[],"expireTokens":[]}}`,
		`{"code":80100000,"message":"","data":{"sendResult":false,"failTokens":["xxx"],"expireTokens":["yyyy"]}}`,
		`{"code":200,"message":"","data":{"sendResult":false,"failTokens":"xxx","expireTokens":["yyyy"]}}`,
		`{"code":"80300007","message":"All the tokens are invalid"}`,
		`{"code":80200021,"message":"request too many,please try again later"}`,
		`{"code":null}`, `<html>`, ``, `[]`, `200`, `{"code":200`,
	} {
		f.Add(200, []byte(seed))
		f.Add(503, []byte(seed))
	}
	tokens := []string{"xxx", "yyyy", "zzzzz"}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		answer, err := readAnswer(vendors.Reply{Status: status, Body: body}, tokens, "access-token", "the-secret")
		if err != nil {
			return
		}
		vendortest.Whole(t, answer, tokens, "access-token", "the-secret")
		var e struct{ Code any }
		row, _ := codes().Lookup(answer.Code.Level, answer.Code.Code)
		if row.Class == classify.Success && (json.Unmarshal(body, &e) != nil || answer.Code.Code == codeSuccess && status/100 != 2) {
			t.Errorf("HTTP %d with %q is a success", status, body)
		}
	})
}
