package xiaomi

import (
	"encoding/json"
	"maps"
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
	return readAnswer(reply, sentTo(tokens...), "the-secret")
}

// sentTo returns the delivery of one message without a channel.
func sentTo(tokens ...string) delivery {
	return delivery{tokens: tokens, messages: []channelTokens{{"", len(tokens)}}}
}

func TestReadAnswerKeepsIDAndRetryAfter(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ body, want string }{
		"the message id of a success":     {`{"code":0,"trace_id":"X1","data":{"id":"sdm57188602565449273KF"}}`, "sdm57188602565449273KF"},
		"the trace id without a message":  {`{"code":0,"trace_id":"X1"}`, "X1"},
		"the trace id of a failure":       {`{"code":10001,"trace_id":"Xcm58061602298211208Nt"}`, "Xcm58061602298211208Nt"},
		"data of a failure is ignored":    {`{"code":10001,"trace_id":"X1","data":{"id":"s1"}}`, "X1"},
		"null":                            {`{"code":0,"trace_id":null}`, ""},
		"with a line break":               {`{"code":0,"trace_id":"1\n2"}`, ""},
		"longer than any real":            {`{"code":0,"trace_id":"` + strings.Repeat("1", 129) + `"}`, ""},
		"a message id that cannot be one": {`{"code":0,"trace_id":"X1","data":{"id":"a b"}}`, "X1"},
		"a message id that is a number":   {`{"code":0,"trace_id":"X1","data":{"id":7}}`, "7"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vendortest.HasID(t, reader, tt.body, tt.want)
		})
	}
}

func TestACodeIsAWholeNumber(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		`0`: "0", `21301`: "21301", `-1`: "-1", `"20301"`: "20301", `1234567890`: "1234567890",
		`" 0"`: "", `0.0`: "", `2e4`: "", `"12345678901"`: "", `""`: "", `null`: "", `{}`: "", `"ok"`: "", `true`: "", ``: "",
	}
	for raw, want := range tests {
		if got := codeOf(json.RawMessage(raw)); got != want {
			t.Errorf("%s is the code %q, want %q", raw, got, want)
		}
	}
}

func TestAnswerTextHidesTokensAndSecrets(t *testing.T) {
	t.Parallel()
	vendortest.HidesTokens(t, reader, `{"code":10008,"reason":%s}`, "the-secret")
	tests := map[string]struct{ members, want string }{
		"the reason":                  {`"reason":"invalid channel info!","description":"channel相关信息不匹配"`, "invalid channel info!"},
		"the description without one": {`"description":"参数错误"`, "参数错误"},
		"the description for null":    {`"reason":null,"description":"参数错误"`, "参数错误"},
		"nothing":                     {`"reason":null,"description":null`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := `{"code":10008,` + tt.members + `}`
			got, err := reader(httpx.Reply{Status: 200, Body: []byte(body)}, nil)
			if err != nil || got.Code.Text != tt.want {
				t.Errorf("got text %q (%v), want %q", got.Code.Text, err, tt.want)
			}
		})
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
		list, err := json.Marshal(strings.Join(named, ","))
		if err != nil {
			t.Fatal(err)
		}
		body := `{"result":"ok","code":0,"data":{"bad_regids":` + string(list) + `}}`
		got, err := readAnswer(httpx.Reply{Status: 200, Body: []byte(body)}, sentTo(tokens...), "secret")
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{}
		for _, n := range named {
			want[n] = codeBad
		}
		delete(want, "token not sent")
		if named := vendortest.ByToken(t, got.Tokens, tokens); !maps.Equal(named, want) {
			t.Fatalf("got %v, want %v", named, want)
		}
	})
}

func TestDiscardedMessagesAreCountedPerChannel(t *testing.T) {
	t.Parallel()
	const all, some, bad = codeOverQuota, codeSomeOverQuota, codeBad
	sent := delivery{
		tokens:   []string{"n1", "a1", "n2", "b1", "a2", "a3"},
		messages: []channelTokens{{"", 1}, {"a", 1}, {"", 1}, {"b", 1}, {"a", 2}},
	}
	tests := []struct {
		name, bad, over string
		want            map[int]string
	}{
		{"nothing", "", "", nil},
		{"all of two channels", "", "no_channel:2 a:3", map[int]string{0: all, 1: all, 2: all, 4: all, 5: all}},
		{"more than were sent", "", "b:9", map[int]string{3: all}},
		{"some of a channel", "", "a:1", map[int]string{1: some, 4: some, 5: some}},
		{"none of a channel", "", "a:0 b:1", map[int]string{3: all}},
		{"a channel in two parts", "", "a:1 a:2", map[int]string{1: all, 4: all, 5: all}},
		{"a rejected token is not counted twice", "a2", "a:2", map[int]string{1: all, 4: bad, 5: all}},
		{"a rejected token of a channel that lost some", "a2", "a:1", map[int]string{1: some, 4: bad, 5: some}},
		{"a channel that was not used", "", "c:3", nil},
		{"not a number", "", "a:x", map[int]string{0: some, 1: some, 2: some, 3: some, 4: some, 5: some}},
		{"no number", "", "a", map[int]string{0: some, 1: some, 2: some, 3: some, 4: some, 5: some}},
		{"a number below zero", "b1", "a:-1", map[int]string{0: some, 1: some, 2: some, 3: bad, 4: some, 5: some}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body, err := json.Marshal(map[string]any{"code": 0, "data": map[string]string{"bad_regids": tt.bad, "channel_exceed_quota": tt.over}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := readAnswer(httpx.Reply{Status: 200, Body: body}, sent, "secret")
			if err != nil || len(got.Tokens) != len(tt.want) {
				t.Fatalf("got %v (%v), want %v", got.Tokens, err, tt.want)
			}
			for i, tc := range got.Tokens {
				if tc.Code.Code != tt.want[tc.Index] || tc.Code.Level != classify.Token || i > 0 && got.Tokens[i-1].Index >= tc.Index {
					t.Errorf("token %d is %s, or out of order; want %s", tc.Index, tc.Code, tt.want[tc.Index])
				}
			}
		})
	}
}

func FuzzReadAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"result":"ok","trace_id":"Xdm57188602565449242Ut","code":0,"data":{"id":"sdm57188602565449273KF","day_acked":"0","day_quota":"50000"},"description":"成功","info":"Received push messages for 1 REGID"}`,
		`{"result":"ok","code":0,"data":{"bad_regids":"xxx, zzzzz"}}`,
		`{"result":"ok","code":0,"data":{"bad_regids":"yyyy","channel_exceed_quota":"no_channel:2 a:3"}}`,
		`{"result":"error","reason":"No valid targets!","trace_id":"Xcm58061602298211208Nt","code":20301,"description":"发送消息失败"}`,
		`{"result":"error","reason":"key=the-secret zzzzz","code":-1}`,
		`{"code":null}`, `<html>`, ``, `[]`, `0`, `{"code":0`, `{"code":0,"data":{"channel_exceed_quota":"no_channel:99999999999 :1"}}`,
	} {
		f.Add(200, []byte(seed))
		f.Add(502, []byte(seed))
	}
	sent := delivery{tokens: []string{"xxx", "yyyy", "zzzzz"}, messages: []channelTokens{{"", 2}, {"a", 1}}}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		answer, err := readAnswer(httpx.Reply{Status: status, Body: body}, sent, "the-secret")
		if err != nil {
			return
		}
		vendortest.Whole(t, answer, sent.tokens, "the-secret")
		row, _ := codes().Lookup(answer.Code.Level, answer.Code.Code)
		if (row.Class == classify.Success && row.Code == codeSuccess || row.Class == classify.TokenInvalid && row.Action == classify.Delete) && (status/100 != 2 || !json.Valid(body)) {
			t.Errorf("%q under HTTP %d is %s", body, status, row.Key())
		}
	})
}
