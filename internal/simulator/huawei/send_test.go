package huawei

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

// with is a correct send whose android object has more members.
func with(android string) string {
	return `{"message":{"android":{` + android + `,"notification":{"title":"t","body":"b","click_action":{"type":3}}},"token":["a"]}}`
}

// shown is a correct send whose android notification has more members.
func shown(notification string) string {
	return `{"message":{"android":{"notification":{"title":"t","body":"b","click_action":{"type":3},` + notification + `}},"token":["a"]}}`
}

func clicked(click string) string {
	return `{"message":{"android":{"notification":{"title":"t","body":"b","click_action":` + click + `}},"token":["a"]}}`
}

func TestHuaweiChecksBodies(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("t%d", i)
		}
		return playtest.HuaweiMessage(list...)
	}
	tests := []struct {
		name, body, want string
	}{
		{"a correct notification", playtest.HuaweiMessage("a"), "80000000"},
		{"spaces and line ends between", "\n{ \"message\" :\t{ \"token\" : [ \"a\" , \"b\" ] , \"data\" : \"{}\" } }\r\n", "80000000"},
		{"an escaped token", `{"message":{"data":"d","token":["a\u0062\"c"]}}`, "80000000"},
		{"a topic", `{"message":{"data":"d","topic":"news"}}`, "80000000"},

		{"nothing", ``, "80100003"},
		{"no JSON", `hello`, "80100003"},
		{"an array", `[]`, "80100003"},
		{"cut short", playtest.HuaweiMessage("a")[:40], "80100003"},
		{"cut short within the tokens", `{"message":{"token":["a`, "80100003"},
		{"something behind the end", playtest.HuaweiMessage("a") + "x", "80100003"},
		{"a comma too many", `{"message":{"data":"d","token":["a",]}}`, "80100003"},
		{"a raw line end in a token", "{\"message\":{\"data\":\"d\",\"token\":[\"a\nb\"]}}", "80100003"},
		{"an unknown top-level key", `{"msg":1,"message":{"data":"d","token":["a"]}}`, "80100003"},
		{"a message that is text", `{"message":"m"}`, "80100003"},
		{"a token that is text", `{"message":{"data":"d","token":"a"}}`, "80100003"},
		{"a token that is a number", `{"message":{"data":"d","token":[1]}}`, "80100003"},
		{"data that is an object", `{"message":{"data":{},"token":["a"]}}`, "80100003"},
		{"ttl that is a number", with(`"ttl":86400`), "80100003"},
		{"collapse_key that is text", with(`"collapse_key":"1"`), "80100003"},

		{"message misspelt", `{"messager":{"data":"d","token":["a"]}}`, "80300010"},
		{"message in capitals", `{"Message":{"data":"d","token":["a"]}}`, "80300010"},
		{"token misspelt", `{"message":{"data":"d","tokens":["a"]}}`, "80300010"},
		{"token in the wrong place", `{"message":{"data":"d","android":{"token":["a"]}}}`, "80300010"},
		{"no tokens", `{"message":{"data":"d","token":[]}}`, "80300010"},
		{"1,000 tokens", many(1000), "80000000"},
		{"1,001 tokens", many(1001), "80300010"},
		{"an empty token", `{"message":{"data":"d","token":["a",""]}}`, "80100001"},
		{"tokens and a topic", `{"message":{"data":"d","token":["a"],"topic":"t"}}`, "80100001"},

		{"4,096 bytes without the tokens", sized(4096), "80000000"},
		{"4,097 bytes without the tokens", sized(4097), "80300008"},

		{"neither notification nor data", `{"message":{"token":["a"]}}`, "80100001"},
		{"no title anywhere", `{"message":{"android":{"notification":{"body":"b","click_action":{"type":3}}},"token":["a"]}}`, "80100001"},
		{"title and body in the general notification", `{"message":{"notification":{"title":"t","body":"b"},"android":{"notification":{"click_action":{"type":3}}},"token":["a"]}}`, "80000000"},
		{"no click_action", `{"message":{"android":{"notification":{"title":"t","body":"b"}},"token":["a"]}}`, "80100001"},
		{"a click_action without type", clicked(`{}`), "80100001"},
		{"type 0", clicked(`{"type":0}`), "80100001"},
		{"type 1 without intent and action", clicked(`{"type":1}`), "80100001"},
		{"type 1 with an intent", clicked(`{"type":1,"intent":"intent://a;end"}`), "80000000"},
		{"type 1 with an action", clicked(`{"type":1,"action":"com.x.A"}`), "80000000"},
		{"type 2 without url", clicked(`{"type":2}`), "80100001"},
		{"type 2 with plain http", clicked(`{"type":2,"url":"http://x.example"}`), "80100001"},
		{"type 2 with https", clicked(`{"type":2,"url":"https://x.example"}`), "80000000"},

		{"ttl 86400s", with(`"ttl":"86400s"`), "80000000"},
		{"ttl without s", with(`"ttl":"86400"`), "80000000"},
		{"ttl with nine decimals", with(`"ttl":"1.123456789s"`), "80000000"},
		{"ttl with ten decimals", with(`"ttl":"1.1234567891s"`), "80100001"},
		{"ttl of 15 days", with(`"ttl":"1296000s"`), "80000000"},
		{"ttl of 15 days and a second", with(`"ttl":"1296001s"`), "80100001"},
		{"ttl in words", with(`"ttl":"24h"`), "80100001"},
		{"ttl in the past", with(`"ttl":"-1s"`), "80100004"},
		{"ttl of nothing", with(`"ttl":"0s"`), "80100004"},
		{"collapse_key -1", with(`"collapse_key":-1`), "80000000"},
		{"collapse_key 100", with(`"collapse_key":100`), "80000000"},
		{"collapse_key 101", with(`"collapse_key":101`), "80100013"},
		{"collapse_key -2", with(`"collapse_key":-2`), "80100013"},
		{"collapse_key 1.5", with(`"collapse_key":1.5`), "80100013"},
		{"urgency HIGH", with(`"urgency":"HIGH"`), "80000000"},
		{"urgency LOW", with(`"urgency":"LOW"`), "80100001"},
		{"category IM", with(`"category":"IM"`), "80000000"},
		{"category in small letters", with(`"category":"im"`), "80100001"},
		{"category PLAY_VOICE with a notification", with(`"category":"PLAY_VOICE"`), "80100001"},
		{"category PLAY_VOICE with data", `{"message":{"data":"d","android":{"category":"PLAY_VOICE"},"token":["a"]}}`, "80000000"},
		{"target_user_type 2", with(`"target_user_type":2`), "80100001"},
		{"importance LOW", shown(`"importance":"LOW"`), "80000000"},
		{"importance MIDDLE", shown(`"importance":"MIDDLE"`), "80100001"},
		{"badge with its class", shown(`"badge":{"class":"c","add_num":1,"set_num":0}`), "80000000"},
		{"badge without class", shown(`"badge":{"add_num":1}`), "80100001"},
		{"badge adding 100", shown(`"badge":{"class":"c","add_num":100}`), "80100001"},
		{"four buttons", shown(`"buttons":[{},{},{},{}]`), "80100001"},
		{"an image over http", shown(`"image":"http://x.example/i"`), "80100001"},
		{"six inbox lines", shown(`"style":3,"inbox_content":["","","","","",""]`), "80100001"},
		{"a profile id of 65", shown(`"profile_id":"` + strings.Repeat("p", 65) + `"`), "80100001"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := play.NewServer(play.Options{AnyCredentials: true}, New(Options{}))
			w := playtest.Record(s, playtest.Post("/v1/100001/messages:send", []byte(tt.body), playtest.HuaweiHeader("x")))
			if got := playtest.CodeOf(t, w.Body.String()); got != tt.want {
				t.Errorf("got %s, want code %s", w.Body, tt.want)
			}
			status, violations, report := 400, int64(1), s.Report()
			if tt.want == "80000000" {
				status, violations = 200, 0
			}
			if w.Code != status {
				t.Errorf("got HTTP %d, want %d", w.Code, status)
			}
			if got := report.Violations(); got != violations {
				t.Errorf("got %d violations, want %d: %v", got, violations, report.Vendors["huawei"].Violations)
			}
		})
	}
}

// sized is a send whose message has n bytes without the member token.
func sized(n int) string {
	const rest = `{"data":""}`
	return `{"message":{"data":"` + strings.Repeat("d", n-len(rest)) + `","token":["` + strings.Repeat("t", 4096) + `"]}}`
}

func TestHuaweiForgivesButReports(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body, want string
	}{
		{"a field that is not the vendor's", with(`"prio":1`), "message.android.prio: is not one of the vendor's fields"},
		{"a field in the wrong case", with(`"Urgency":"HIGH"`), "message.android.Urgency: is not one of the vendor's fields"},
		{"an importance of older documents", shown(`"importance":"HIGH"`), "message.android.notification.importance: is not one of LOW, NORMAL"},
		{"inbox lines in another style", shown(`"inbox_content":["a"]`), "message.android.notification.inbox_content: needs style 3"},
		{"the same token twice", playtest.HuaweiMessage("a", "b", "a"), "message.token: 1 tokens are there twice: their users get the message twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := play.NewServer(play.Options{AnyCredentials: true}, New(Options{}))
			w := playtest.Record(s, playtest.Post("/v1/1/messages:send", []byte(tt.body), playtest.HuaweiHeader("x")))
			if got := playtest.CodeOf(t, w.Body.String()); got != "80000000" {
				t.Errorf("got %s, want success", w.Body)
			}
			want := []play.Violation{{Vendor: "huawei", Endpoint: "send", What: tt.want}}
			if got := s.Report().Vendors["huawei"].Violations; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestHuaweiChecksCallers(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{Credentials: map[string][]play.Credential{"huawei": {
		{App: "1", Secret: "s", Project: "11"}, {App: "2", Secret: "s"},
		{App: "3", Secret: "s", Lacks: []string{play.RightPush}}, {App: "4", Secret: "s", Lacks: []string{play.RightHighUrgency}},
	}}}, New(Options{}))
	token := map[string]string{}
	for _, app := range []string{"1", "2", "3", "4"} {
		token[app] = "Bearer " + r.HuaweiTokenOf(app, "s")
	}
	const jsonType = "application/json"
	high := with(`"urgency":"HIGH"`)
	tests := []struct {
		name, method, path, auth, contentType, body string
		status                                      int
		want                                        string // "" is a body without code
		violations                                  int64
	}{
		{"v1 by client id", "POST", "/v1/1/messages:send", token["1"], jsonType, playtest.HuaweiMessage("a"), 200, "80000000", 0},
		{"v2 by project id", "POST", "/v2/11/messages:send", token["1"], jsonType, playtest.HuaweiMessage("a"), 200, "80000000", 0},
		{"v2 by client id", "POST", "/v2/1/messages:send", token["1"], jsonType, playtest.HuaweiMessage("a"), 404, "", 1},
		{"an app that does not exist", "POST", "/v1/9/messages:send", token["1"], jsonType, playtest.HuaweiMessage("a"), 404, "", 1},
		{"a path that does not exist", "POST", "/v1/1/messages:sent", token["1"], jsonType, playtest.HuaweiMessage("a"), 404, "", 1},
		{"GET", "GET", "/v1/1/messages:send", token["1"], jsonType, "", 405, "", 1},
		{"no Authorization", "POST", "/v1/1/messages:send", "", jsonType, playtest.HuaweiMessage("a"), 401, "80200001", 1},
		{"an empty bearer", "POST", "/v1/1/messages:send", "Bearer ", jsonType, playtest.HuaweiMessage("a"), 401, "80200001", 1},
		{"another scheme", "POST", "/v1/1/messages:send", strings.TrimPrefix(token["1"], "Bearer "), jsonType, playtest.HuaweiMessage("a"), 401, "80200001", 1},
		{"another app's token", "POST", "/v1/1/messages:send", token["2"], jsonType, playtest.HuaweiMessage("a"), 401, "80200001", 1},
		{"a token nobody issued", "POST", "/v1/1/messages:send", "Bearer x", jsonType, playtest.HuaweiMessage("a"), 401, "80200003", 1},
		{"auth before structure", "POST", "/v1/1/messages:send", "", jsonType, "{", 401, "80200001", 1},
		{"a form's content type", "POST", "/v1/1/messages:send", token["1"], "application/x-www-form-urlencoded", playtest.HuaweiMessage("a"), 400, "80100003", 1},
		{"another charset", "POST", "/v1/1/messages:send", token["1"], "application/json; charset=GBK", playtest.HuaweiMessage("a"), 400, "80100003", 1},
		{"no right to push", "POST", "/v1/3/messages:send", token["3"], jsonType, playtest.HuaweiMessage("a"), 400, "80300002", 0},
		{"no right to urgency HIGH", "POST", "/v1/4/messages:send", token["4"], jsonType, high, 400, "80300011", 1},
		{"normal urgency needs no right", "POST", "/v1/4/messages:send", token["4"], jsonType, playtest.HuaweiMessage("a"), 200, "80000000", 0},
	}
	for _, tt := range tests {
		r.Reset()
		header := map[string]string{"Content-Type": tt.contentType}
		if tt.auth != "" {
			header["Authorization"] = tt.auth
		}
		got := r.Must(tt.method, tt.path, tt.body, header)
		if got.Status != tt.status || tt.want != "" && playtest.CodeOf(t, got.Body) != tt.want {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, got.Status, got.Body, tt.status, tt.want)
		}
		if n := r.Report().Violations(); n != tt.violations {
			t.Errorf("%s: got %d violations, want %d", tt.name, n, tt.violations)
		}
	}
}

func TestHuaweiNamesInvalidTokens(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		opt    Options
		body   string
		status int
		code   string
		msg    string
	}{
		{"none", Options{}, playtest.HuaweiMessage("a", "b"), 200, "80000000", "Success"},
		{"some", Options{}, playtest.HuaweiMessage("a", "bad-1", "b", "bad-2"), 200, "80100000", `{"success":2,"failure":2,"illegal_tokens":["bad-1","bad-2"]}`},
		{"one with a space", Options{}, playtest.HuaweiMessage("a", "b "), 200, "80100000", `{"success":1,"failure":1,"illegal_tokens":["b "]}`},
		{"all", Options{}, playtest.HuaweiMessage("bad-1", "bad-2"), 200, "80300007", "All the tokens are invalid"},
		{"some under another status", Options{InvalidStatus: 400}, playtest.HuaweiMessage("a", "bad-1"), 400, "80100000", `{"success":1,"failure":1,"illegal_tokens":["bad-1"]}`},
		{"all under another status", Options{InvalidStatus: 400}, playtest.HuaweiMessage("bad-1"), 400, "80300007", "All the tokens are invalid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := playtest.New(t, play.Options{}, New(tt.opt))
			got := r.HuaweiSend(r.HuaweiToken(), tt.body)
			var answer struct{ Code, Msg, RequestID string }
			if err := json.Unmarshal([]byte(got.Body), &answer); err != nil {
				t.Fatal(err)
			}
			if got.Status != tt.status || answer.Code != tt.code || answer.Msg != tt.msg || len(answer.RequestID) != 24 {
				t.Errorf("got %d %+v, want %d %s %s and a request id of 24 digits", got.Status, answer, tt.status, tt.code, tt.msg)
			}
		})
	}
}

func TestHuaweiAuthStatusIsAnOption(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{}, New(Options{AuthStatus: 200}))
	r.WantHuaweiCode("send with a wrong token", r.HuaweiSend("x", playtest.HuaweiMessage("a")), 200, "80200003")
}

func TestValidateOnlyDeliversNothing(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{}, New(Options{}))
	body := strings.Replace(playtest.HuaweiMessage("a"), `"validate_only":false`, `"validate_only":true`, 1)
	r.WantHuaweiCode("send", r.HuaweiSend(r.HuaweiToken(), body), 200, "80000000")
	if got := r.Count("huawei", "a"); got != 0 {
		t.Errorf("got %d deliveries, want 0", got)
	}
}

// FuzzHuaweiSend checks against encoding/json that what is accepted was JSON,
// and that each of its tokens was seen as it is written there.
func FuzzHuaweiSend(f *testing.F) {
	f.Add([]byte(playtest.HuaweiMessage("a", "b")))
	f.Add([]byte(playtest.HuaweiMessage("bad-1", "bl\\u0061nk ", "é\"")))
	f.Add([]byte(`{"message":{"token":["a","a"],"data":"d","token":["c"]}}`))
	f.Add([]byte(`{"message":{"data":"d","token":["a]`))
	f.Add([]byte(with(`"ttl":"1s","collapse_key":1e2`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := play.NewServer(play.Options{AnyCredentials: true}, New(Options{}))
		w := playtest.Record(s, playtest.Post("/v1/1/messages:send", body, playtest.HuaweiHeader("x")))
		got := playtest.CodeOf(t, w.Body.String())
		if got != "80000000" && got != "80100000" {
			return
		}
		var root, message map[string]json.RawMessage
		var tokens []string
		if err := json.Unmarshal(body, &root); err != nil {
			t.Fatalf("accepted %q: %v", body, err)
		}
		if err := json.Unmarshal(root["message"], &message); err != nil {
			t.Fatalf("accepted %q: %v", body, err)
		}
		if list, ok := message["token"]; ok && json.Unmarshal(list, &tokens) != nil {
			t.Fatalf("accepted %q", body)
		}
		var only bool
		_ = json.Unmarshal(root["validate_only"], &only) // absent is false
		v := s.Report().Vendors["huawei"]
		if !only && v.Accepted+v.Invalid != int64(len(tokens)) {
			t.Errorf("accepted %d and refused %d of %d tokens in %q", v.Accepted, v.Invalid, len(tokens), body)
		}
	})
}
