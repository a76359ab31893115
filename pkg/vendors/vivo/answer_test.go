package vivo

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestReadAnswerKeepsTheTaskAndRetryAfter(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ body, want string }{
		"a string":             {`{"result":0,"taskId":"542423431123"}`, "542423431123"},
		"a number":             {`{"result":0,"taskId":542423431123}`, "542423431123"},
		"null":                 {`{"result":0,"taskId":null}`, ""},
		"absent":               {`{"result":0}`, ""},
		"an object":            {`{"result":0,"taskId":{"a":1}}`, ""},
		"with a line break":    {`{"result":0,"taskId":"5\n4"}`, ""},
		"longer than any real": {`{"result":0,"taskId":"` + strings.Repeat("1", 513) + `"}`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readAnswer(vendors.Reply{Status: 200, Body: []byte(tt.body), RetryAfter: time.Second}, []string{"t"})
			if err != nil {
				t.Fatal(err)
			}
			if got.RequestID != tt.want || got.RetryAfter != time.Second {
				t.Errorf("got task %q and wait %v, want %q and 1s", got.RequestID, got.RetryAfter, tt.want)
			}
		})
	}
}

func TestAnswerTextHidesTokensAndSecrets(t *testing.T) {
	t.Parallel()
	body := `{"result":10103,"desc":"token-1 and token-12 of access-1"}`
	got, err := readAnswer(vendors.Reply{Status: 200, Body: []byte(body)}, []string{"token-1", "token-12"}, "access-1")
	if want := "… and … of …"; err != nil || got.Code.Text != want {
		t.Errorf("got %q (%v), want %q", got.Code.Text, err, want)
	}
}

// Whatever tokens were sent and named, exactly the sent and named ones have a
// status of their own.
func TestInvalidUsersNameExactlyTheSentTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[!-+\--:<-~]{1,40}`)
		tokens := rapid.SliceOfNDistinct(token, 2, 50, rapid.ID[string]).Draw(t, "tokens")
		named := rapid.SliceOf(rapid.SampledFrom(append([]string{"stranger of ours"}, tokens...))).Draw(t, "named")
		want := map[string]bool{}
		users := []map[string]any{}
		for _, n := range named {
			want[n] = true
			users = append(users, map[string]any{"status": 1, "userid": n})
		}
		delete(want, "stranger of ours")
		body, err := json.Marshal(map[string]any{"result": 0, "invalidUsers": users})
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAnswer(vendors.Reply{Status: 200, Body: body}, tokens)
		if err != nil || len(got.Tokens) != len(want) {
			t.Fatalf("got %d codes (%v), want %d", len(got.Tokens), err, len(want))
		}
		for i, tc := range got.Tokens {
			if !want[tokens[tc.Index]] || tc.Code.String() != "token/1" || i > 0 && got.Tokens[i-1].Index >= tc.Index {
				t.Fatalf("got %v at %d", tc, i)
			}
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
		answer, err := readAnswer(vendors.Reply{Status: status, Body: body}, tokens, "access-token")
		if err != nil {
			return
		}
		vendortest.Whole(t, answer, tokens, "access-token")
		if row, _ := codes().Lookup(answer.Code.Level, answer.Code.Code); row.Class == classify.Success && !json.Valid(body) {
			t.Errorf("%q is not JSON and a success", body)
		}
	})
}
