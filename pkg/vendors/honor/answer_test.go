package honor

import (
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// reader reads an answer with the secrets of these tests.
func reader(reply httpx.Reply, tokens []string) (vendors.Answer, error) {
	return readAnswer(reply, tokens, "access-1", "secret-1")
}

func TestReadAnswerKeepsRequestIDAndRetryAfter(t *testing.T) {
	t.Parallel()
	vendortest.KeepsID(t, reader, `{"code":200,"data":{"requestId":%s}}`)
}

func TestAnswerTextHidesTokensAndSecrets(t *testing.T) {
	t.Parallel()
	vendortest.HidesTokens(t, reader, `{"code":80100003,"message":%s}`, "access-1", "secret-1")
}

func TestTheListsOfOtherCodesAreIgnored(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"80300007", "80300006", "500", "80000000"} {
		d := detail{ExpireTokens: json.RawMessage(`["a"]`), FailTokens: json.RawMessage(`["b"]`)}
		if got := tokenCodes(code, d, []string{"a", "b"}); len(got) != 0 {
			t.Errorf("%s: got %v, want every token under the request's own code", code, got)
		}
	}
}

// For any sent and listed tokens, exactly those that were both sent and listed have
// their own code, and no failed token counts as expired.
func TestPartialFailureNamesExactlyTheSentTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[!-+\--:<-~]{1,40}`)
		tokens := rapid.SliceOfNDistinct(token, 1, 50, rapid.ID[string]).Draw(t, "tokens")
		some := rapid.SliceOf(rapid.SampledFrom(append([]string{"token not sent"}, tokens...)))
		fail, expire := some.Draw(t, "failTokens"), some.Draw(t, "expireTokens")
		body, err := json.Marshal(map[string]any{
			"code": rapid.SampledFrom([]int{200, 80100000}).Draw(t, "code"),
			"data": map[string]any{"sendResult": true, "failTokens": fail, "expireTokens": expire},
		})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := readAnswer(httpx.Reply{Status: 200, Body: body}, tokens, "access", "secret")
		if err != nil {
			t.Fatal(err)
		}
		got := vendortest.ByToken(t, answer.Tokens, tokens)
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
		answer, err := readAnswer(httpx.Reply{Status: status, Body: body}, tokens, "access-token", "the-secret")
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
