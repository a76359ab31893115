package harmony

import (
	"encoding/json"
	"fmt"
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
		"a string":             {`"157440955549500001002006"`, "157440955549500001002006"},
		"a number":             {`157440955549500001002006`, "157440955549500001002006"},
		"empty":                {`""`, ""},
		"null":                 {`null`, ""},
		"with a line break":    {`"1\n2"`, ""},
		"longer than any real": {`"` + strings.Repeat("1", 129) + `"`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `{"code":"80000000","requestId":` + tt.raw + `}`
			got, err := readAnswer(vendors.Reply{Status: 200, Body: []byte(body), RetryAfter: time.Second}, []string{"t"}, "a")
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
		"plain words":                   {`"Illegal payload"`, "Illegal payload"},
		"a token":                       {`"bad token-1 here"`, "bad … here"},
		"a token that begins another":   {`"bad token-12 here"`, "bad … here"},
		"the access token":              {`"Bearer access-1 expired"`, "Bearer … expired"},
		"a list of tokens is not words": {`"{\"illegalTokens\":{\"noRight\":[\"token-1\"]}}"`, ""},
		"a page is not words":           {`"` + strings.Repeat("x", 9<<10) + `"`, ""},
		"control characters":            {`"a\u0000b\nc"`, "a b c"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := fmt.Sprintf(`{"code":"80100001","msg":%s}`, tt.msg)
			got, err := readAnswer(vendors.Reply{Status: 400, Body: []byte(body)}, []string{"token-1", "token-12"}, "access-1")
			if err != nil || got.Code.Text != tt.want {
				t.Errorf("got text %q (%v), want %q", got.Code.Text, err, tt.want)
			}
		})
	}
}

func TestAReasonThatIsNotAWordDeletesNothing(t *testing.T) {
	t.Parallel()
	if row, known := codes().Lookup(classify.Token, unreadable); known || row.Class == classify.TokenInvalid {
		t.Errorf("%s is %s, want an unknown code", unreadable, row.Class)
	}
}

// Whatever tokens were sent and named, exactly the sent and named ones have a
// code of their own, which is their reason.
func TestPartialFailureNamesExactlyTheSentTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[!-+\--:<-~]{1,40}`)
		tokens := rapid.SliceOfNDistinct(token, 1, 50, rapid.ID[string]).Draw(t, "tokens")
		reasons := []string{"", "tokenFormatError", "noRight", "appinfoError"}
		want, lists := map[string]string{}, map[string][]string{" countryNotSupport ": {"stranger of ours"}}
		for _, token := range tokens {
			if reason := rapid.SampledFrom(reasons).Draw(t, "reason"); reason != "" {
				want[token], lists[reason] = reason, append(lists[reason], token)
			}
		}
		msg, err := json.Marshal(map[string]any{"illegalTokens": lists})
		if err != nil {
			t.Fatal(err)
		}
		got := tokenCodes(codePartial, string(msg), tokens)
		if len(got) != len(want) {
			t.Fatalf("got %d codes, want %d", len(got), len(want))
		}
		for i, tc := range got {
			if want[tokens[tc.Index]] != tc.Code.Code || i > 0 && got[i-1].Index >= tc.Index {
				t.Fatalf("token %d has the code %s, want %q, in order", tc.Index, tc.Code, want[tokens[tc.Index]])
			}
		}
	})
}

func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"code":"80000000","msg":"Success","requestId":"157000000006"}`,
		`{"code":"80100000","msg":"{\"illegalTokens\":{\" tokenFormatError \":[\"xxx\"]},\"success\":1,\"failure\":1}"}`,
		`{"code":"80300007","msg":"{\"failure\":2,\"illegalTokens\":{\"noRight\":[\"xxx\",\"yyyy\"]}}"}`,
		`{"code":"80100000","msg":"{\"success\":3,\"failure\":1,\"illegal_tokens\":[\"xxx\"]}","requestId":""}`,
		`{"code":80300007,"msg":{"illegalTokens":{"noRight":["xxx"]}}}`,
		`{"code":null}`, `<html>`, ``, `[]`, `"80000000"`, `{"code":"80000000"`,
	} {
		f.Add(200, []byte(seed))
		f.Add(503, []byte(seed))
	}
	tokens := []string{"xxx", "yyyy", "zzzzz"}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		answer, err := readAnswer(vendors.Reply{Status: status, Body: body}, tokens, "access-token")
		if err != nil {
			return
		}
		vendortest.Whole(t, answer, tokens, "access-token")
		var e struct{ Code any }
		if row, _ := codes().Lookup(answer.Code.Level, answer.Code.Code); row.Class == classify.Success && json.Unmarshal(body, &e) != nil {
			t.Errorf("%q is not JSON and a success", body)
		}
	})
}
