package huawei

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

func TestACodeIsDigitsWithOrWithoutQuotes(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		`"80000000"`: "80000000", `80000000`: "80000000", `0`: "0", `"1234567890"`: "1234567890",
		`" 80000000"`: "", `80000000.0`: "", `8e7`: "", `-1`: "", `"12345678901"`: "", `""`: "", `null`: "", `{}`: "", ``: "",
	}
	for raw, want := range tests {
		if got := codeOf(json.RawMessage(raw)); got != want {
			t.Errorf("%s is the code %q, want %q", raw, got, want)
		}
	}
}

func TestAnswerTextHidesTokensAndSecrets(t *testing.T) {
	t.Parallel()
	vendortest.HidesTokens(t, reader, `{"code":"80100001","msg":%s}`, "access-1")
	got, err := reader(httpx.Reply{Status: 200, Body: []byte(`{"code":"80100001","msg":"{\"illegal_tokens\":[\"token-1\"]}"}`)}, []string{"token-1"})
	if err != nil || got.Code.Text != "" {
		t.Errorf("got text %q (%v), want none for a list of tokens", got.Code.Text, err)
	}
}

func TestATokenNamedForTwoReasonsIsNotDeleted(t *testing.T) {
	t.Parallel()
	msg := `{"illegalTokens":{"tokenFormatError":["a"],"noRight":["a"]}}`
	got := tokenCodes(codePartial, msg, []string{"a"})
	if len(got) != 1 || got[0].Code.Code != "noRight" {
		t.Errorf("got %v, want the reason noRight, which deletes nothing", got)
	}
}

func TestAListUnderAllInvalidAddsNothing(t *testing.T) {
	t.Parallel()
	if got := tokenCodes(codeAllInvalid, `{"illegal_tokens":["a"]}`, []string{"a", "b"}); len(got) != 0 {
		t.Errorf("got %v, want every token under the request's own code", got)
	}
}

func TestAMalformedReasonDeletesNothing(t *testing.T) {
	t.Parallel()
	got := tokenCodes(codePartial, `{"illegalTokens":{"80100000":["a"]}}`, []string{"a"})
	if len(got) != 1 {
		t.Fatalf("got %v, want one code", got)
	}
	if row, known := codes().Lookup(got[0].Code.Level, got[0].Code.Code); known || row.Class == classify.TokenInvalid {
		t.Errorf("%s is %s, want an unknown code", got[0].Code, row.Class)
	}
}

// For any sent and named tokens, exactly those that were both sent and named have
// their own code.
func TestPartialFailureNamesExactlyTheSentTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[!-+\--:<-~]{1,40}`)
		tokens := rapid.SliceOfNDistinct(token, 1, 50, rapid.ID[string]).Draw(t, "tokens")
		named := rapid.SliceOf(rapid.SampledFrom(append([]string{"token not sent"}, tokens...))).Draw(t, "named")
		msg, err := json.Marshal(map[string]any{"illegal_tokens": named})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for _, n := range named {
			want[n] = codePartial
		}
		delete(want, "token not sent")
		if got := vendortest.ByToken(t, tokenCodes(codePartial, string(msg), tokens), tokens); !maps.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"code":"80000000","msg":"Success","requestId":"157440955549500001002006"}`,
		`{"code":"80100000","msg":"{\"success\":3,\"failure\":1,\"illegal_tokens\":[\"xxx\"]}","requestId":""}`,
		`{"code":"80100000","msg":"{\"illegalTokens\":{\" tokenFormatError \":[\"xxx\"]},\"success\":1,\"failure\":1}"}`,
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
