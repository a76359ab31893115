package vivo

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

func TestReadAnswerKeepsTheTaskAndRetryAfter(t *testing.T) {
	t.Parallel()
	vendortest.KeepsID(t, reader, `{"result":0,"taskId":%s}`)
	vendortest.HasID(t, reader, `{"result":0,"taskId":{"a":1}}`, "")
}

func TestAnswerTextHidesTokensAndSecrets(t *testing.T) {
	t.Parallel()
	vendortest.HidesTokens(t, reader, `{"result":10103,"desc":%s}`, "access-1")
}

// For any sent and named tokens, exactly those that were both sent and named have
// their own status.
func TestInvalidUsersNameExactlyTheSentTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[!-+\--:<-~]{1,40}`)
		tokens := rapid.SliceOfNDistinct(token, 2, 50, rapid.ID[string]).Draw(t, "tokens")
		named := rapid.SliceOf(rapid.SampledFrom(append([]string{"token not sent"}, tokens...))).Draw(t, "named")
		want := map[string]string{}
		users := []map[string]any{}
		for _, n := range named {
			want[n] = "1"
			users = append(users, map[string]any{"status": 1, "userid": n})
		}
		delete(want, "token not sent")
		body, err := json.Marshal(map[string]any{"result": 0, "invalidUsers": users})
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAnswer(httpx.Reply{Status: 200, Body: body}, tokens)
		if named := vendortest.ByToken(t, got.Tokens, tokens); err != nil || !maps.Equal(named, want) {
			t.Fatalf("got %v (%v), want %v", named, err, want)
		}
	})
}

func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"result":0,"desc":"请求成功","taskId":"542423431"}`,
		`{"result":0,"desc":"","invalidUsers":[{"status":1,"userid":"xxx"},{"status":"4","userid":"yyyy"}]}`,
		`{"result":10302,"desc":"zzzzz","invalidUsers":[{"status":null,"userid":7}]}`,
		`{"result":10302,"desc":"regId 不合法","invalidUser":{"status":1,"userid":"xxx"}}`, `{"result":"10072"}`,
		`{"result":null}`, `Internet server error!`, ``, `[]`, `{"result":0`,
	} {
		f.Add(200, []byte(seed))
		f.Add(500, []byte(seed))
	}
	tokens := []string{"xxx", "yyyy", "zzzzz"}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		answer, err := readAnswer(httpx.Reply{Status: status, Body: body}, tokens, "access-token")
		if err != nil {
			return
		}
		vendortest.Whole(t, answer, tokens, "access-token")
		if row, _ := codes().Lookup(answer.Code.Level, answer.Code.Code); row.Class == classify.Success && !json.Valid(body) {
			t.Errorf("%q is not JSON and a success", body)
		}
	})
}
