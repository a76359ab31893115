package oppo

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// reader reads an answer with the secrets of these tests.
func reader(reply httpx.Reply, tokens []string) (vendors.Answer, error) {
	return readAnswer(reply, tokens, "access-1")
}

func TestReadAnswerKeepsTheVendorsNameAndRetryAfter(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ data, want string }{
		"of a unicast":                  {`{"messageId":"3000-1-1-58ad"}`, "3000-1-1-58ad"},
		"of a broadcast, the task":      {`{"message_id":"58ad","task_id":"58ae"}`, "58ae"},
		"of a broadcast without a task": {`{"message_id":"58ad"}`, "58ad"},
		"a batch has none":              {`[{"messageId":"58ad","registrationId":"t"}]`, ""},
		"with a line break":             {`{"messageId":"5\n8"}`, ""},
		"longer than any real name":     {`{"messageId":"` + strings.Repeat("5", 513) + `"}`, ""},
		"not a string":                  {`{"messageId":{"a":1}}`, ""},
		"no data":                       {`null`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vendortest.HasID(t, reader, `{"code":0,"message":"","data":`+tt.data+`}`, tt.want)
		})
	}
}

func TestOneTokenWithSeveralMessagesHasACodeForEach(t *testing.T) {
	t.Parallel()
	body := `{"code":0,"data":[{"registrationId":"a"},{"registrationId":"b"},{"registrationId":"a","errorCode":33},{"registrationId":"a","errorCode":67},{"registrationId":"a","errorCode":1}]}`
	got, err := readAnswer(httpx.Reply{Status: 200, Body: []byte(body)}, []string{"a", "b", "a", "a"})
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprint(got.Tokens); !strings.Contains(s, "{2 token/33} {3 token/67}") || len(got.Tokens) < 2 {
		t.Errorf("got %v, want codes 33 and 67 for the second and third message to a", got.Tokens)
	}
}

func TestAnswerTextHidesTokensAndSecrets(t *testing.T) {
	t.Parallel()
	vendortest.HidesTokens(t, reader, `{"code":11,"message":%s}`, "access-1")
}

func TestItemTextHidesTokensAndSecrets(t *testing.T) {
	t.Parallel()
	body := `{"code":0,"data":[{"registrationId":"token-12","errorCode":41,"errorMessage":"bad token-1, token-12 of access-1"}]}`
	got, err := readAnswer(httpx.Reply{Status: 200, Body: []byte(body)}, []string{"token-12", "token-1"}, "access-1")
	if err != nil || len(got.Tokens) == 0 {
		t.Fatalf("got %v (%v)", got, err)
	}
	if text, want := got.Tokens[0].Code.Text, "bad …, … of …"; text != want {
		t.Errorf("got %q, want %q", text, want)
	}
}

// In any order of the items, exactly the failed tokens have their own code.
func TestABatchNamesExactlyTheFailedTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[!-+\--:<-~]{1,40}`)
		tokens := rapid.SliceOfNDistinct(token, 1, 50, rapid.ID[string]).Draw(t, "tokens")
		failed := map[string]string{}
		var items []map[string]any
		for _, id := range rapid.Permutation(tokens).Draw(t, "order") {
			item := map[string]any{"registrationId": id, "messageId": "58ad"}
			if rapid.Bool().Draw(t, "fails") {
				failed[id] = "10000"
				item["errorCode"] = 10000
			}
			items = append(items, item)
		}
		body, err := json.Marshal(map[string]any{"code": 0, "data": items})
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAnswer(httpx.Reply{Status: 200, Body: body}, tokens)
		if named := vendortest.ByToken(t, got.Tokens, tokens); err != nil || !maps.Equal(named, failed) {
			t.Fatalf("got %v (%v), want %v", named, err, failed)
		}
	})
}

// The scanner finds what encoding/json finds.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1}`, ` { "a\"b" : [ "}" , {"x":[]} ] , "c":null }`, `{"a":"\\","b":-1.5e3,"c":true}`, `[]`, `[1,"]",[[]],{}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		var raw json.RawMessage
		if json.Unmarshal(doc, &raw) != nil {
			return
		}
		var list []json.RawMessage
		if first(raw) == '[' && json.Unmarshal(raw, &list) == nil {
			i := 0
			eachElement(raw, func(v []byte) {
				if i >= len(list) || string(v) != string(list[i]) {
					t.Errorf("element %d of %s is %s", i, raw, v)
				}
				i++
			})
			if i != len(list) {
				t.Errorf("got %d elements of %s, want %d", i, raw, len(list))
			}
		}
		var members map[string]json.RawMessage
		if first(raw) == '{' && json.Unmarshal(raw, &members) == nil {
			got := map[string]string{}
			eachMember(raw, func(k, v []byte) { got[body.Decode(k)] = string(v) })
			for k, v := range members {
				if got[k] != string(v) {
					t.Errorf("member %q of %s is %s, want %s", k, raw, got[k], v)
				}
			}
		}
	})
}

func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"code":0,"message":"","data":[{"messageId":"5","registrationId":"xxx"},{"registrationId":"yyyy","errorCode":33,"errorMessage":"zzzzz"}]}`,
		`{"code":0,"message":"","data":{"message_id":"5","task_id":"6","10000":["xxx","yyyy"],"10001":"zzzzz;q"}}`,
		`{"code":10000,"data":[{"registrationId":"xxx"}]}`, `{"code":"11","message":"access-token"}`, `"{\"code\":0}"`,
		`{"code":null}`, `<html>`, ``, `[]`, `{"code":0,"data":[1,{"registrationId":[]}]}`, `{"code":-1`,
	} {
		f.Add(200, []byte(seed))
		f.Add(503, []byte(seed))
	}
	tokens := []string{"xxx", "yyyy", "zzzzz", "xxx"}
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
