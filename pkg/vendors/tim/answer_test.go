package tim

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// reader reads an answer with the secrets of these tests.
func reader(reply httpx.Reply, tokens []string) (vendors.Answer, error) {
	return readAnswer(reply, tokens, "eJyr-1")
}

// The forms are those on the vendor's pages.
func TestReadAnswerKeepsRequestIDAndRetryAfter(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ body, want string }{
		"a task with its prefix":  {`{"ActionStatus":"OK","ErrorCode":0,"TaskId":"batch_667015d4_537529d8"}`, "batch_667015d4_537529d8"},
		"a task without a prefix": {`{"ActionStatus":"OK","ErrorCode":0,"TaskId":"667015d4_537529d8"}`, "667015d4_537529d8"},
		"a task of an app":        {`{"ActionStatus":"OK","ErrorCode":0,"TaskId":"1400000001_144115212910570789"}`, "1400000001_144115212910570789"},
		"a chat message":          {`{"ActionStatus":"OK","ErrorCode":0,"MsgKey":"128493_903762_1572870301"}`, "128493_903762_1572870301"},
		"an empty task":           {`{"ActionStatus":"OK","ErrorCode":0,"TaskId":""}`, ""},
		"absent":                  {`{"ActionStatus":"OK","ErrorCode":0}`, ""},
		"with a line break":       {`{"ActionStatus":"OK","ErrorCode":0,"TaskId":"1\n2"}`, ""},
		"longer than any real":    {`{"ActionStatus":"OK","ErrorCode":0,"TaskId":"` + strings.Repeat("1", 129) + `"}`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vendortest.HasID(t, reader, tt.body, tt.want)
		})
	}
}

// As the code of a whole request these codes do not say which account they mean.
func TestACodeOfOneAccountIsTheTokensOnlyInARequestOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"20003", "70107", "90048"} {
		body := []byte(`{"ActionStatus":"FAIL","ErrorCode":` + code + `,"ErrorInfo":""}`)
		one, err := readAnswer(httpx.Reply{Status: 200, Body: body}, []string{"a"})
		if err != nil || len(one.Tokens) != 1 || one.Tokens[0].Code.String() != "token/"+code || one.Tokens[0].Index != 0 {
			t.Errorf("%s for one account: got %v (%v), want token/%s", code, one.Tokens, err, code)
		}
		two, err := readAnswer(httpx.Reply{Status: 200, Body: body}, []string{"a", "b"})
		if row, _ := codes().Lookup(two.Code.Level, two.Code.Code); err != nil || len(two.Tokens) != 0 || row.Remedy != classify.Split {
			t.Errorf("%s for two accounts: got %v and %s (%v), want the request halved", code, two.Tokens, row.Remedy, err)
		}
	}
}

func TestAFailureWithoutANumberIsNotASuccessAndDeletesNothing(t *testing.T) {
	t.Parallel()
	row, known := codes().Lookup(classify.Response, codeFail)
	if known || row.Class == classify.Success || row.Class == classify.TokenInvalid {
		t.Errorf("got %+v, want an unknown code", row)
	}
	row, known = codes().Lookup(classify.Token, unreadable)
	if known || row.Class == classify.Success || row.Class == classify.TokenInvalid {
		t.Errorf("got %+v, want an unknown code", row)
	}
}

func TestAnswerTextHidesTokensAndSecrets(t *testing.T) {
	t.Parallel()
	vendortest.HidesTokens(t, reader, `{"ActionStatus":"FAIL","ErrorCode":90001,"ErrorInfo":%s}`, "eJyr-1")
}

// For any sent and named accounts, exactly those that were both sent and named have
// their own code, and an account that is named twice is not deleted if one of its
// codes keeps it.
func TestPartialFailureNamesExactlyTheSentTokens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SliceOfNDistinct(rapid.StringMatching(`[0-9A-Za-z_-]{1,32}`), 1, 100, rapid.ID[string]).Draw(t, "tokens")
		type entry struct {
			Account string `json:"To_Account"`
			Code    int    `json:"ErrorCode"`
		}
		var entries []entry
		want := map[string]bool{}
		for _, id := range rapid.SliceOf(rapid.SampledFrom(append([]string{"token not sent"}, tokens...))).Draw(t, "named") {
			e := entry{id, rapid.SampledFrom([]int{70107, 90012, 91000}).Draw(t, "code")}
			entries = append(entries, e)
			want[id] = want[id] || e.Code == 91000
		}
		delete(want, "token not sent")
		list, err := json.Marshal(entries)
		if err != nil {
			t.Fatal(err)
		}
		got := vendortest.ByToken(t, tokenCodes(list, tokens), tokens)
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
		`{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"TaskId":"batch_667015d4_537529d8_2000005e80aa873_d03ac87_56f5e750"}`,
		`{"ActionStatus":"SomeError","ErrorCode":0,"ErrorInfo":"","MsgKey":"1","ErrorList":[{"To_Account":"xxx","ErrorCode":70107}]}`,
		`{"ActionStatus":"OK","ErrorCode":0,"ErrorList":[{"ErrorCode":"70107","To_Account":"yyyy"},{"To_Account":"zzzzz"},7]}`,
		`{"ActionStatus":"FAIL","ErrorInfo":"invalid To_Account","ErrorCode":90012}`,
		`{"ActionStatus":"FAIL","ErrorList":[{"To_Account":"xxx","ErrorCode":70107}]}`,
		`{"ErrorCode":null}`, `{"ErrorCode":-0,"ActionStatus":"OK"}`, `<html>`, ``, `[]`, `0`, `{"ActionStatus":"OK","ErrorCode":0`,
	} {
		f.Add(200, []byte(seed))
		f.Add(502, []byte(seed))
	}
	tokens := []string{"xxx", "yyyy", "zzzzz"}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		answer, err := readAnswer(httpx.Reply{Status: status, Body: body}, tokens, "user-sig")
		if err != nil {
			return
		}
		vendortest.Whole(t, answer, tokens, "user-sig")
		for _, tc := range answer.Tokens {
			if tc.Code.Code == codeSuccess {
				t.Errorf("got %+v, want no token code for a success", tc)
			}
		}
		row, _ := codes().Lookup(answer.Code.Level, answer.Code.Code)
		if row.Class != classify.Success {
			return
		}
		var e struct{ ActionStatus string }
		if status/100 != 2 || json.Unmarshal(body, &e) != nil || e.ActionStatus != "OK" && len(answer.Tokens) == 0 {
			t.Errorf("%q under HTTP %d is a success", body, status)
		}
	})
}
