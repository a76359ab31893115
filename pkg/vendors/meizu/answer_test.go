package meizu

import (
	"encoding/json"
	"maps"
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
	return readAnswer(reply, tokens, "secret-1")
}

func TestReadAnswerKeepsMessageIDAndRetryAfter(t *testing.T) {
	t.Parallel()
	vendortest.KeepsID(t, reader, `{"code":"200","msgId":%s}`)
}

// 110002 as the answer's code says which push id it means only if there is one.
func TestACodeOfOnePushIDIsTheTokensOnlyInARequestOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"110002", "110003"} {
		body := []byte(`{"code":"` + code + `","message":"","value":"","redirect":""}`)
		one, err := readAnswer(httpx.Reply{Status: 200, Body: body}, []string{"a"}, "secret")
		if err != nil || len(one.Tokens) != 1 || one.Tokens[0].Code.String() != "token/"+code || one.Tokens[0].Index != 0 {
			t.Errorf("%s for one push id: got %v (%v), want token/%s", code, one.Tokens, err, code)
		}
		two, err := readAnswer(httpx.Reply{Status: 200, Body: body}, []string{"a", "b"}, "secret")
		if row, _ := codes().Lookup(two.Code.Level, two.Code.Code); err != nil || len(two.Tokens) != 0 || row.Remedy != classify.Split {
			t.Errorf("%s for two push ids: got %v and %s (%v), want the request halved", code, two.Tokens, row.Remedy, err)
		}
	}
	flow, err := readAnswer(httpx.Reply{Status: 200, Body: []byte(`{"code":"110010","value":""}`)}, []string{"a"}, "secret")
	if err != nil || len(flow.Tokens) != 0 {
		t.Errorf("110010 for one push id: got %v (%v), want flow control only for the request", flow.Tokens, err)
	}
}

func TestAnswerTextHidesTokensAndSecrets(t *testing.T) {
	t.Parallel()
	vendortest.HidesTokens(t, reader, `{"code":"1005","message":%s,"value":""}`, "secret-1")
}

// For any sent and named push ids, exactly those that were both sent and named have
// their own code, and a push id that is named twice is not deleted if one of its codes
// keeps it.
func TestPartialFailureNamesExactlyTheSentTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SliceOfNDistinct(rapid.StringMatching(`[0-9A-Za-z]{1,45}`), 1, 100, rapid.ID[string]).Draw(t, "tokens")
		lists, want, kind := map[string][]string{}, map[string]bool{}, rapid.SampledFrom([]string{"110002", "110003", "110010", "513", "518"})
		for _, id := range rapid.SliceOf(rapid.SampledFrom(append([]string{"token_not_sent"}, tokens...))).Draw(t, "named") {
			code := kind.Draw(t, "code")
			lists[code] = append(lists[code], id)
			want[id] = want[id] || code[0] == '5'
		}
		delete(want, "token_not_sent")
		value, err := json.Marshal(lists)
		if err != nil {
			t.Fatal(err)
		}
		got := vendortest.ByToken(t, tokenCodes(value, tokens), tokens)
		if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
			t.Fatalf("got codes of %v, want of %v", got, want)
		}
		for token, code := range got {
			if want[token] && deletes(code) {
				t.Fatalf("%q is deleted for %s although another code keeps it", token, code)
			}
		}
	})
}

func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"code":"200","message":"","value":{},"msgId":"c2ee5c3bf00448cfbceb7fdf68c3c8eb"}`,
		`{"code":"200","message":"","value":{"110002":["xxx"],"110003":["yyyy"]},"msgId":"c2ee"}`,
		`{"code":200,"value":{"110010":"xxx,yyyy","518":[1,"zzzzz"],"msgId":"NS2019","respTarget":{"a":["xxx"]}}}`,
		`{"code":"110010","message":"应用请求频率超过限制","value":"","redirect":""}`,
		`{"code":null}`, `{"code":"200","value":true}`, `<html>`, ``, `[]`, `"200"`, `{"code":"200"`,
	} {
		f.Add(200, []byte(seed))
		f.Add(500, []byte(seed))
	}
	tokens := []string{"xxx", "yyyy", "zzzzz"}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		answer, err := readAnswer(httpx.Reply{Status: status, Body: body}, tokens, "app-secret")
		if err != nil {
			return
		}
		vendortest.Whole(t, answer, tokens, "app-secret")
		row, _ := codes().Lookup(answer.Code.Level, answer.Code.Code)
		if row.Class == classify.Success && (status/100 != 2 || !json.Valid(body)) {
			t.Errorf("%q under HTTP %d is a success", body, status)
		}
	})
}
