package honor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

func sendHeader(access string, now time.Time) map[string]string {
	return map[string]string{
		"Content-Type": "application/json; charset=UTF-8", "Authorization": "Bearer " + access,
		"timestamp": strconv.FormatInt(now.UnixMilli(), 10),
	}
}

// goodBody is a correct message to some tokens, like the blog's example, with
// more members in the notification and in android.
func goodBody(notification, android string, tokens ...string) string {
	list, _ := json.Marshal(append([]string{}, tokens...)) // not null when empty
	return `{"android":{"notification":{"title":"test title","body":"test body","clickAction":{"type":3}` + notification + `}` + android +
		`},"token":` + string(list) + `}`
}

// sendTo is a send whose credentials are correct; the answer's code comes as text.
func sendTo(t *testing.T, s *play.Server, clk *playtest.Clock, body string) (status int, code string) {
	t.Helper()
	w := playtest.Record(s, playtest.Post("/api/v1/1/sendMessage", []byte(body), sendHeader("x", clk.Now())))
	return w.Code, answerCode(t, w.Body.String())
}

func answerCode(t *testing.T, body string) string {
	t.Helper()
	var answer struct{ Code json.Number }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	return answer.Code.String()
}

func TestHonorChecksBodies(t *testing.T) {
	t.Parallel()
	many := func(n int) []string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("t%d", i)
		}
		return list
	}
	sized := func(n int) string {
		body := goodBody(`,"tag":""`, "", "a")
		return strings.Replace(body, `"tag":""`, `"tag":"`+strings.Repeat("s", n-len(body)+len(`"a"`))+`"`, 1)
	}
	clicked := func(click string) string {
		return strings.Replace(goodBody("", "", "a"), `{"type":3}`, click, 1)
	}
	tests := []struct{ name, body, want string }{
		{"a correct notification", goodBody("", "", "a"), "200"},
		{"the blog's data message", `{"data":"{'param1':'value1','param2':'value2'}","token":["pushtoken1"]}`, "200"},
		{"all options", goodBody(`,"importance":"LOW","notifyId":-1,"tag":"x","group":"g","badge":{"addNum":1,"badgeClass":"c","setNum":5},"buttons":[{"name":"ok","actionType":1}],"when":"2023-10-02T15:01:23.045Z","style":0`,
			`,"ttl":"1296000s","biTag":"b","targetUserType":1,"receiptId":"r","data":"d"`, "a"), "200"},

		{"nothing", ``, "80100003"},
		{"cut short", goodBody("", "", "a")[:40], "80100003"},
		{"something behind the end", goodBody("", "", "a") + "x", "80100003"},
		{"a token that is text", `{"data":"d","token":"a"}`, "80100003"},
		{"no tokens", goodBody("", ""), "10300"},
		{"no token", `{"data":"d"}`, "10300"},
		{"a message in Huawei's form", `{"message":{"data":"d","token":["a"]}}`, "10300"},
		{"an empty token", goodBody("", "", "a", ""), "10300"},
		{"a token twice", goodBody("", "", "a", "b", "a"), "80300006"},
		{"1,000 tokens", goodBody("", "", many(1000)...), "200"},
		{"1,001 tokens", goodBody("", "", many(1001)...), "80300010"},
		{"4,096 bytes without the tokens", sized(4096), "200"},
		{"4,097 bytes without the tokens", sized(4097), "80300008"},

		{"neither notification nor data", `{"token":["a"]}`, "80100003"},
		{"no title", strings.Replace(goodBody("", "", "a"), `"title":"test title",`, "", 1), "80100003"},
		{"no click action", strings.Replace(goodBody("", "", "a"), `,"clickAction":{"type":3}`, "", 1), "80100003"},
		{"only type 1", clicked(`{"type":1}`), "80100003"},
		{"type 2 with plain http", clicked(`{"type":2,"url":"http://x.example"}`), "80100003"},
		{"type 2 with https", clicked(`{"type":2,"url":"https://x.example"}`), "200"},
		{"type 4", clicked(`{"type":4}`), "80100003"},
		{"importance HIGH", goodBody(`,"importance":"HIGH"`, "", "a"), "80100003"},
		{"badge without its class", goodBody(`,"badge":{"setNum":5}`, "", "a"), "80100003"},
		{"badge 100", goodBody(`,"badge":{"badgeClass":"c","setNum":100}`, "", "a"), "80100003"},
		{"ttl as a number", goodBody("", `,"ttl":86400`, "a"), "80100003"},
		{"ttl without s", goodBody("", `,"ttl":"86400"`, "a"), "80100003"},
		{"ttl of 15 days and a second", goodBody("", `,"ttl":"1296001s"`, "a"), "80100003"},
		{"ttl of nothing", goodBody("", `,"ttl":"0s"`, "a"), "80100003"},
		{"four buttons", goodBody(`,"buttons":[{},{},{},{}]`, "", "a"), "80100003"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			clk := playtest.NewClock()
			s := play.NewServer(play.Options{AnyCredentials: true, Now: clk.Now}, New(Options{}))
			status, got := sendTo(t, s, clk, tt.body)
			if got != tt.want || status != http.StatusOK {
				t.Errorf("got HTTP %d with code %s, want 200 with %s", status, got, tt.want)
			}
			violations := s.Report().Violations()
			if (tt.want == "200") != (violations == 0) {
				t.Errorf("got %d violations: %v", violations, s.Report().Vendors["honor"].Violations)
			}
		})
	}
}

func TestHonorForgivesButReportsUnknownFields(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		goodBody(`,"click_action":{}`, "", "a"):                    "android.notification.click_action: is not one of the vendor's fields",
		goodBody("", `,"category":"IM"`, "a"):                      "android.category: is not one of the vendor's fields",
		`{"validate_only":true,` + goodBody("", "", "a")[1:]:       "validate_only: is not one of the vendor's fields",
		goodBody(`,"badge":{"badgeClass":"c","class":1}`, "", "a"): "android.notification.badge.class: is not one of the vendor's fields",
	} {
		clk := playtest.NewClock()
		s := play.NewServer(play.Options{AnyCredentials: true, Now: clk.Now}, New(Options{}))
		if _, got := sendTo(t, s, clk, body); got != "200" {
			t.Errorf("%s: got %s, want success", want, got)
		}
		if got := s.Report().Vendors["honor"].Violations; len(got) != 1 || got[0].What != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

func TestHonorWantsMillisecondsOfNow(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		stamp func(now time.Time) string
		want  string
	}{
		{"now", func(n time.Time) string { return strconv.FormatInt(n.UnixMilli(), 10) }, "200"},
		{"5 minutes ago", func(n time.Time) string { return strconv.FormatInt(n.Add(-5*time.Minute).UnixMilli(), 10) }, "200"},
		{"5 minutes and more ago", func(n time.Time) string { return strconv.FormatInt(n.Add(-5*time.Minute).UnixMilli()-1, 10) }, "10207"},
		{"in 6 minutes", func(n time.Time) string { return strconv.FormatInt(n.Add(6*time.Minute).UnixMilli(), 10) }, "10207"},
		{"in seconds", func(n time.Time) string { return strconv.FormatInt(n.Unix(), 10) }, "10207"},
		{"in words", func(time.Time) string { return "now" }, "10207"},
		{"missing", func(time.Time) string { return "" }, "10001"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			clk := playtest.NewClock()
			s := play.NewServer(play.Options{AnyCredentials: true, Now: clk.Now}, New(Options{}))
			header := sendHeader("x", clk.Now())
			if header["timestamp"] = tt.stamp(clk.Now()); header["timestamp"] == "" {
				delete(header, "timestamp")
			}
			w := playtest.Record(s, playtest.Post("/api/v1/1/sendMessage", []byte(goodBody("", "", "a")), header))
			if got := answerCode(t, w.Body.String()); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			violations := s.Report().Violations()
			if (tt.want == "200") != (violations == 0) {
				t.Errorf("got %d violations", violations)
			}
		})
	}
}

// askToken asks for an access token.
func askToken(s *play.Server, form url.Values) (status int, body string) {
	header := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	w := playtest.Record(s, playtest.Post("/auth/token", []byte(form.Encode()), header))
	return w.Code, w.Body.String()
}

func TestHonorDeniesGrantsInOAuthsWords(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, field, value, want string }{
		{"no grant type", "grant_type", "", "invalid_request"},
		{"another grant type", "grant_type", "password", "unsupported_grant_type"},
		{"an unknown client", "client_id", "42", "unauthorized_client"},
		{"the app's id for the client's", "client_id", "app-1", "unauthorized_client"},
		{"a wrong secret", "client_secret", "wrong", "unauthorized_client"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := play.NewServer(play.Options{Credentials: map[string][]play.Credential{"honor": {{App: "app-1", Client: "client-1", Secret: "s/1+="}}}}, New(Options{}))
			form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"client-1"}, "client_secret": {"s/1+="}}
			if status, body := askToken(s, form); status != 200 || !strings.Contains(body, `"expires_in":3600,"token_type":"Bearer"`) {
				t.Errorf("the right form: got %d %s", status, body)
			}
			form.Set(tt.field, tt.value)
			if status, body := askToken(s, form); status != 401 || !strings.Contains(body, `"error":"`+tt.want+`"`) {
				t.Errorf("got %d %s, want 401 with %s", status, body, tt.want)
			}
			if got := s.Report().Violations(); got != 1 {
				t.Errorf("got %d violations, want 1", got)
			}
		})
	}
}

func TestHonorRefusesAccessTokensWith403(t *testing.T) {
	t.Parallel()
	two := map[string][]play.Credential{"honor": {{App: "1", Secret: "s1"}, {App: "2", Secret: "s2"}}}
	tests := []struct {
		name       string
		spoil      func(s *play.Server, clk *playtest.Clock, access string) string
		status     int
		violations int64
	}{
		{"a correct one", func(_ *play.Server, _ *playtest.Clock, access string) string { return access }, 200, 0},
		{"an expired one", func(_ *play.Server, c *playtest.Clock, access string) string { c.Pass(time.Hour); return access }, 403, 0},
		{"a revoked one", func(s *play.Server, _ *playtest.Clock, access string) string {
			s.RevokeAccessTokens("honor")
			return access
		}, 403, 0},
		{"one that was never issued", func(*play.Server, *playtest.Clock, string) string { return "x" }, 403, 1},
		{"none", func(*play.Server, *playtest.Clock, string) string { return "" }, 403, 1},
		{"another app's", func(s *play.Server, _ *playtest.Clock, _ string) string { return grantedAccess(t, s, "2", "s2") }, 403, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, option := range []int{0, 200} {
				clk := playtest.NewClock()
				s := play.NewServer(play.Options{Now: clk.Now, Credentials: two}, New(Options{AuthStatus: option}))
				access := tt.spoil(s, clk, grantedAccess(t, s, "1", "s1"))
				w := playtest.Record(s, playtest.Post("/api/v1/1/sendMessage", []byte(goodBody("", "", "a")), sendHeader(access, clk.Now())))
				status := tt.status
				if option != 0 {
					status = option
				}
				if got := answerCode(t, w.Body.String()); w.Code != status || got != strconv.Itoa(tt.status) {
					t.Errorf("got HTTP %d with code %s, want %d with %d", w.Code, got, status, tt.status)
				}
				if got := s.Report().Violations(); got != tt.violations {
					t.Errorf("got %d violations, want %d", got, tt.violations)
				}
			}
		})
	}
}

func grantedAccess(t *testing.T, s *play.Server, id, secret string) string {
	t.Helper()
	_, body := askToken(s, url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}})
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.AccessToken == "" {
		t.Fatalf("no access token in %s", body)
	}
	return answer.AccessToken
}

func TestHonorAnswersInItsOwnForm(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		opt    Options
		tokens []string
		want   string
	}{
		{"success", Options{}, []string{"a"}, `{"code":200,"message":"Success","data":{"sendResult":true,"requestId":"1-%","failTokens":[],"expireTokens":[],"msgCode":0}}`},
		{"some", Options{}, []string{"a", "bad-1", "fail-1"}, `{"code":80100000,"message":"some tokens failed","data":{"sendResult":true,"requestId":"1-%","failTokens":["fail-1"],"expireTokens":["bad-1"],"msgCode":0}}`},
		{"some under success", Options{ListsUnderSuccess: true, NotSent: true}, []string{"a", "bad-1"}, `{"code":200,"message":"Success","data":{"sendResult":false,"requestId":"1-%","failTokens":[],"expireTokens":["bad-1"],"msgCode":0}}`},
		{"all", Options{}, []string{"bad-1"}, `{"code":80300007,"message":"all tokens are invalid"}`},
		{"all with lists", Options{ListsUnderAllInvalid: true}, []string{"bad-1"}, `{"code":80300007,"message":"all tokens are invalid","data":{"sendResult":false,"requestId":"1-%","failTokens":[],"expireTokens":["bad-1"],"msgCode":0}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			clk := playtest.NewClock()
			s := play.NewServer(play.Options{AnyCredentials: true, Now: clk.Now}, New(tt.opt))
			w := playtest.Record(s, playtest.Post("/api/v1/1/sendMessage", []byte(goodBody("", "", tt.tokens...)), sendHeader("x", clk.Now())))
			want := strings.Replace(tt.want, "%", strings.Repeat("0", 31)+"1", 1)
			if got := w.Body.String(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestHonorMayMirrorItsCodesAsHTTPStatus(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mirror bool
		code   string
		want   int
	}{{false, "500", 200}, {true, "500", 500}, {true, "400", 400}, {true, "80200021", 200}, {true, "10207", 200}} {
		clk := playtest.NewClock()
		s := play.NewServer(play.Options{AnyCredentials: true, Now: clk.Now}, New(Options{MirrorStatus: tt.mirror}))
		if err := s.SetFaults([]play.Fault{{Vendor: "honor", Endpoint: "send", Code: tt.code}}); err != nil {
			t.Fatal(err)
		}
		if status, got := sendTo(t, s, clk, goodBody("", "", "a")); status != tt.want || got != tt.code {
			t.Errorf("mirror %v: got HTTP %d with code %s, want %d with %s", tt.mirror, status, got, tt.want, tt.code)
		}
	}
}

// FuzzHonorSend checks against encoding/json that what is accepted was JSON,
// and that each of its tokens was seen as it is written there.
func FuzzHonorSend(f *testing.F) {
	f.Add([]byte(goodBody("", "", "a", "b")))
	f.Add([]byte(goodBody("", "", "bad-1", "fail-1", "é\"")))
	f.Add([]byte(`{"token":["a","b"],"data":"d","token":["c"]}`))
	f.Add([]byte(`{"data":"d","token":["a]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		clk := playtest.NewClock()
		s := play.NewServer(play.Options{AnyCredentials: true, Now: clk.Now}, New(Options{}))
		_, got := sendTo(t, s, clk, string(body))
		if got != "200" && got != "80100000" {
			return
		}
		var root map[string]json.RawMessage
		var tokens []string
		if json.Unmarshal(body, &root) != nil || json.Unmarshal(root["token"], &tokens) != nil {
			t.Fatalf("accepted %q", body)
		}
		if v := s.Report().Vendors["honor"]; v.Accepted+v.Invalid != int64(len(tokens)) {
			t.Errorf("accepted %d and refused %d of %d tokens in %q", v.Accepted, v.Invalid, len(tokens), body)
		}
	})
}
