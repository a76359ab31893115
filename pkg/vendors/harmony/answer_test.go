package harmony

import (
	"encoding/json"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// reader reads an answer with the secrets of these tests.
func reader(reply httpx.Reply, tokens []string) (vendors.Answer, error) {
	return readAnswer(reply, tokens, "access-1")
}

func TestReadAnswerKeepsRequestIDAndRetryAfter(t *testing.T) {
	t.Parallel()
	vendortest.KeepsID(t, reader, `{"code":"80000000","requestId":%s}`)
}

func TestAnswerTextHidesTokensAndSecrets(t *testing.T) {
	t.Parallel()
	vendortest.HidesTokens(t, reader, `{"code":"80100001","msg":%s}`, "access-1")
	got, err := reader(httpx.Reply{Status: 200, Body: []byte(`{"code":"80100001","msg":"{\"illegalTokens\":{\"noRight\":[\"token-1\"]}}"}`)}, []string{"token-1"})
	if err != nil || got.Code.Text != "" {
		t.Errorf("got text %q (%v), want none for a list of tokens", got.Code.Text, err)
	}
}

func TestAMalformedReasonDeletesNothing(t *testing.T) {
	t.Parallel()
	if row, known := codes().Lookup(classify.Token, unreadable); known || row.Class == classify.TokenInvalid {
		t.Errorf("%s is %s, want an unknown code", unreadable, row.Class)
	}
}

// For any sent and named tokens, exactly those that were both sent and named have
// their own code, which is their reason.
func TestPartialFailureNamesExactlyTheSentTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[!-+\--:<-~]{1,40}`)
		tokens := rapid.SliceOfNDistinct(token, 1, 50, rapid.ID[string]).Draw(t, "tokens")
		reasons := []string{"", "tokenFormatError", "noRight", "appinfoError"}
		want, lists := map[string]string{}, map[string][]string{" countryNotSupport ": {"token not sent"}}
		for _, token := range tokens {
			if reason := rapid.SampledFrom(reasons).Draw(t, "reason"); reason != "" {
				want[token], lists[reason] = reason, append(lists[reason], token)
			}
		}
		msg, err := json.Marshal(map[string]any{"illegalTokens": lists})
		if err != nil {
			t.Fatal(err)
		}
		if got := vendortest.ByToken(t, tokenCodes(codePartial, string(msg), tokens), tokens); !maps.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
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
		answer, err := readAnswer(httpx.Reply{Status: status, Body: body}, tokens, "access-token")
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
