package xiaomi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

const (
	sendPath = "/v3/message/regid"
	manyPath = "/v2/multi_messages/regids"
)

func formHeader() map[string]string {
	return map[string]string{"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8", "Authorization": "key=demo-secret"}
}

// goodForm is a correct notification to some tokens, with fields replaced by
// name=value pairs; a pair without = removes the field.
func goodForm(tokens string, changes ...string) string {
	form := url.Values{
		"registration_id": {tokens}, "restricted_package_name": {"100001"}, "pass_through": {"0"},
		"title": {"t"}, "description": {"d"}, "notify_type": {"-1"}, "notify_id": {"1"}, "time_to_live": {"86400000"},
		"extra.notify_effect": {"1"}, "extra.jobkey": {"k1"},
	}
	for _, c := range changes {
		name, value, ok := strings.Cut(c, "=")
		form[name] = []string{value}
		if !ok {
			delete(form, name)
		}
	}
	return form.Encode()
}

type gotReply struct {
	Result, Reason, Description, Info string
	TraceID                           string `json:"trace_id"`
	Code                              *int
	Data                              map[string]any
}

func readReply(t *testing.T, body []byte) gotReply {
	t.Helper()
	var r gotReply
	if err := json.Unmarshal(body, &r); err != nil || r.Code == nil || !strings.HasPrefix(r.TraceID, "X") || (r.Result == "ok") != (*r.Code == 0) || (r.Data != nil) != (*r.Code == 0) {
		t.Fatalf("%s is no answer of the vendor's (%v)", body, err)
	}
	return r
}

func sendTo(t *testing.T, s *play.Server, path, body string) (*httptest.ResponseRecorder, gotReply) {
	t.Helper()
	w := playtest.Record(s, playtest.Post(path, []byte(body), formHeader()))
	if w.Code != http.StatusOK {
		t.Fatalf("got HTTP %d, want 200 always", w.Code)
	}
	return w, readReply(t, w.Body.Bytes())
}

func TestXiaomiChecksForms(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("t%d", i)
		}
		return strings.Join(list, ",")
	}
	tests := []struct {
		name, body string
		want       int
	}{
		{"a correct notification", goodForm("a"), 0},
		{"several packages", goodForm("a", "restricted_package_name=com.b,100001"), 0},
		{"1,000 tokens", goodForm(many(1000)), 0},
		{"data", goodForm("a", "pass_through=1", "title", "description", "notify_type", "notify_id", "payload={}"), 0},

		{"no form", "%zz", 10008},
		{"no tokens", goodForm(""), 10016},
		{"an empty token", goodForm("a,,b"), 10017},
		{"1,001 tokens", goodForm(many(1001)), 10017},
		{"no package", goodForm("a", "restricted_package_name"), 22022},
		{"another app's package", goodForm("a", "restricted_package_name=com.b"), 22022},
		{"no title", goodForm("a", "title"), 65011},
		{"a title of spaces", goodForm("a", "title= \t"), 65011},
		{"no description", goodForm("a", "description="), 65011},
		{"a title of 49", goodForm("a", "title="+strings.Repeat("字", 49)), 0},
		{"a title of 50", goodForm("a", "title="+strings.Repeat("字", 50)), 10017},
		{"a description of 127", goodForm("a", "description="+strings.Repeat("字", 127)), 0},
		{"a description of 128", goodForm("a", "description="+strings.Repeat("字", 128)), 10017},
		{"data without payload", goodForm("a", "pass_through=1", "title", "description"), 10016},
		{"pass_through 2", goodForm("a", "pass_through=2"), 10017},
		{"pass_through in words", goodForm("a", "pass_through=true"), 10008},
		{"notify_type 7", goodForm("a", "notify_type=7"), 0},
		{"notify_type 8", goodForm("a", "notify_type=8"), 10017},
		{"a notify_id of 33 bits", goodForm("a", "notify_id=4294967296"), 10017},
		{"a time to live of nothing", goodForm("a", "time_to_live=0"), 10017},
		{"a time to live in words", goodForm("a", "time_to_live=24h"), 10008},
		{"notify_effect 4", goodForm("a", "extra.notify_effect=4"), 10017},
		{"notify_effect 2 without intent", goodForm("a", "extra.notify_effect=2"), 10016},
		{"notify_effect 2 with an intent", goodForm("a", "extra.notify_effect=2", "extra.intent_uri=intent:x"), 0},
		{"notify_effect 3 without URL", goodForm("a", "extra.notify_effect=3"), 10016},
		{"notify_effect 3 with something else", goodForm("a", "extra.notify_effect=3", "extra.web_uri=x"), 10017},
		{"notify_effect 3 with a URL", goodForm("a", "extra.notify_effect=3", "extra.web_uri=http://x"), 0},
		{"a jobkey that begins with _", goodForm("a", "extra.jobkey=_a"), 70012},
		{"a jobkey of 13", goodForm("a", "extra.jobkey=1234567890123"), 70012},
		{"a callback that is no URL", goodForm("a", "extra.callback=ours"), 65038},
		{"a callback's param of 65", goodForm("a", "extra.callback.param="+strings.Repeat("p", 65)), 65036},
		{"ten extras", goodForm("a", "extra.1=", "extra.2=", "extra.3=", "extra.4=", "extra.5=", "extra.6=", "extra.7=", "extra.8="), 0},
		{"eleven extras", goodForm("a", "extra.1=", "extra.2=", "extra.3=", "extra.4=", "extra.5=", "extra.6=", "extra.7=", "extra.8=", "extra.9="), 65014},
		{"extras of 1,025", goodForm("a", "extra.k="+strings.Repeat("v", 1025-len("k"+"notify_effect1"+"jobkeyk1"))), 65015},
		{"extras of 1,024", goodForm("a", "extra.k="+strings.Repeat("v", 1024-len("k"+"notify_effect1"+"jobkeyk1"))), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := play.NewServer(play.Options{}, New(Options{}))
			w, got := sendTo(t, s, sendPath, tt.body)
			if *got.Code != tt.want {
				t.Errorf("got %s, want code %d", w.Body, tt.want)
			}
			violations := int64(0)
			if tt.want != 0 {
				violations = 1
			}
			report := s.Report()
			if n := report.Violations(); n != violations {
				t.Errorf("got %d violations, want %d: %v", n, violations, report.Vendors["xiaomi"].Violations)
			}
		})
	}
}

func TestXiaomiForgivesButReports(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body, want string
	}{
		{"a field that is not the vendor's", goodForm("a", "prio=1"), "prio: is not one of the vendor's fields"},
		{"extras in an object", goodForm("a", "extra={}"), "extra: is not one of the vendor's fields"},
		{"a field twice", goodForm("a") + "&title=x", "title: is there twice"},
		{"the same token twice", goodForm("a,b,a"), "registration_id: 1 tokens are there twice"},
		{"a token that was not escaped", strings.Replace(goodForm("a%"), "a%25", "a+b", 1), "registration_id: has a token with a space; is it escaped for a form?"},
		{"a payload escaped twice", goodForm("a", "payload=%7B%7D"), "payload: is escaped twice"},
		{"a title for data", goodForm("a", "pass_through=1", "payload=p", "description"), "title: means nothing with pass_through 1"},
		{"seconds for milliseconds", goodForm("a", "time_to_live=900"), "time_to_live: is under a second: the unit is milliseconds"},
		{"more than ten days", goodForm("a", "time_to_live=864000001"), "time_to_live: is over 10 days"},
		{"a sum of receipts that means nothing", goodForm("a", "extra.callback.type=246"), "extra.callback.type: is not a sum of 1, 2, 16, 32, 64, 128 and 1024"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := play.NewServer(play.Options{}, New(Options{}))
			if w, got := sendTo(t, s, sendPath, tt.body); *got.Code != 0 {
				t.Errorf("got %s, want success", w.Body)
			}
			want := []play.Violation{{Vendor: "xiaomi", Endpoint: "send", What: tt.want}}
			if got := s.Report().Vendors["xiaomi"].Violations; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestXiaomiChecksCallers(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{
		Credentials: map[string][]play.Credential{"xiaomi": {{App: "com.a", Secret: "sa=="}, {App: "com.b", Secret: "sb"}}},
	}, New(Options{SchemeStatus: 401}))
	body := goodForm("a", "restricted_package_name=com.a")
	const form = "application/x-www-form-urlencoded"
	tests := []struct {
		name, method, path, auth, contentType string
		status, want                          int
		violations                            int64
	}{
		{"v2", "POST", "/v2/message/regid", "key=sa==", form, 200, 0, 0},
		{"v3", "POST", "/v3/message/regid", "key=sa==", form + "; charset=utf-8", 200, 0, 0},
		{"v4", "POST", "/v4/message/regid", "key=sa==", form, 200, 0, 0},
		{"v5", "POST", "/v5/message/regid", "key=sa==", form, 404, -1, 1},
		{"GET", "GET", sendPath, "key=sa==", form, 405, -1, 1},
		{"another scheme", "POST", sendPath, "Bearer sa==", form, 401, -1, 1},
		{"capitals", "POST", sendPath, "Key=sa==", form, 401, -1, 1},
		{"a space", "POST", sendPath, "key= sa==", form, 200, 21301, 1},
		{"no secret", "POST", sendPath, "", form, 401, -1, 1},
		{"a wrong secret", "POST", sendPath, "key=x", form, 200, 21301, 1},
		{"another app's secret", "POST", sendPath, "key=sb", form, 200, 22022, 1},
		{"JSON's content type", "POST", sendPath, "key=sa==", "application/json", 200, 10012, 1},
		{"parameters in the URL", "POST", sendPath + "?a=b", "key=sa==", form, 200, 0, 1},
	}
	for _, tt := range tests {
		r.Reset()
		header := map[string]string{"Content-Type": tt.contentType}
		if tt.auth != "" {
			header["Authorization"] = tt.auth
		}
		got := r.Must(tt.method, tt.path, body, header)
		if got.Status != tt.status || tt.want >= 0 && *readReply(t, []byte(got.Body)).Code != tt.want {
			t.Errorf("%s: got %d %s, want %d %d", tt.name, got.Status, got.Body, tt.status, tt.want)
		}
		if n := r.Report().Violations(); n != tt.violations {
			t.Errorf("%s: got %d violations, want %d", tt.name, n, tt.violations)
		}
	}
}

func TestXiaomiNamesInvalidTokens(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, tokens string
		opt          Options
		code         int
		key          string // of the rejected tokens; "" means none
		want         string
	}{
		{"none", "a,b", Options{}, 0, "", ""},
		{"some", "a,bad-1,b,bad-2", Options{}, 0, "bad_regids", "bad-1,bad-2"},
		{"some, spelt otherwise", "a,bad-1", Options{CamelBad: true}, 0, "bad_regIds", "bad-1"},
		{"all", "bad-1,bad-2", Options{}, 20301, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := play.NewServer(play.Options{}, New(tt.opt))
			w, got := sendTo(t, s, sendPath, goodForm(tt.tokens))
			if *got.Code != tt.code || tt.key != "" && got.Data[tt.key] != tt.want {
				t.Errorf("got %s, want code %d with %s %q", w.Body, tt.code, tt.key, tt.want)
			}
			if tt.key == "" && strings.Contains(w.Body.String(), "bad_") {
				t.Errorf("got %s, want no rejected tokens", w.Body)
			}
			if tt.code == 20301 && got.Reason != "No valid targets!" {
				t.Errorf("got the reason %q", got.Reason)
			}
			bad := int64(strings.Count(tt.tokens, "bad-"))
			if v := s.Report().Vendors["xiaomi"]; v.Invalid != bad || v.Accepted+v.Invalid != int64(strings.Count(tt.tokens, ",")+1) {
				t.Errorf("got %d accepted and %d invalid", v.Accepted, v.Invalid)
			}
		})
	}
}

func TestXiaomiAnswersLookLikeTheDocuments(t *testing.T) {
	t.Parallel()
	clk := playtest.NewClock()
	s := play.NewServer(play.Options{Now: clk.Now}, New(Options{ReasonOnSuccess: true}))
	w, _ := sendTo(t, s, sendPath, goodForm("a"))
	want := `{"result":"ok","reason":"Success","trace_id":"Xdm1767323045000000001Ut","code":0,"data":{"id":"sdm1767323045000000001KF","day_acked":"1","day_quota":"50000"},"description":"成功","info":"Received push messages for 1 REGID"}`
	if got := w.Body.String(); got != want {
		t.Errorf("got\n%s want\n%s", got, want)
	}
	w, _ = sendTo(t, s, sendPath, goodForm("bad-a"))
	want = `{"result":"error","reason":"No valid targets!","trace_id":"Xcm1767323045000000002Nt","code":20301,"description":"发送消息失败"}`
	if got := w.Body.String(); got != want {
		t.Errorf("got\n%s want\n%s", got, want)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json;charset=UTF-8" {
		t.Errorf("got content type %q", got)
	}
}

func TestXiaomiCountsRequestsASecond(t *testing.T) {
	t.Parallel()
	clk := playtest.NewClock()
	s := play.NewServer(play.Options{Now: clk.Now, Rates: map[string]float64{"xiaomi": 2}}, New(Options{}))
	for i, want := range []int{0, 0, 200002, 200002} {
		if _, got := sendTo(t, s, sendPath, goodForm("a,b,c")); *got.Code != want {
			t.Errorf("request %d: got %d, want %d", i+1, *got.Code, want)
		}
	}
	clk.Pass(time.Second)
	if _, got := sendTo(t, s, sendPath, goodForm("a")); *got.Code != 0 {
		t.Errorf("a second later: got %d, want 0", *got.Code)
	}
	if v := s.Report().Vendors["xiaomi"]; v.RateRefused != 2 || v.ViolationCount != 0 {
		t.Errorf("got %d refused, %d violations; want 2, 0", v.RateRefused, v.ViolationCount)
	}
}

func TestXiaomiDayQuotaLastsUntilMidnightInBeijing(t *testing.T) {
	t.Parallel()
	clk := playtest.NewClock() // 03:04:05 UTC is 11:04:05 in Beijing
	s := play.NewServer(play.Options{Now: clk.Now}, New(Options{DayQuota: 3}))
	for i, step := range []struct {
		wait   time.Duration
		tokens string
		want   int
	}{
		{0, "a,b", 0},
		{0, "c,d", 0}, // one request may go over
		{0, "e", 200001},
		{12*time.Hour + 55*time.Minute, "e", 200001},
		{time.Minute, "e", 0},
	} {
		clk.Pass(step.wait)
		if _, got := sendTo(t, s, sendPath, goodForm(step.tokens)); *got.Code != step.want {
			t.Errorf("step %d: got %d, want %d", i+1, *got.Code, step.want)
		}
	}
	if n := s.Count("xiaomi", "e"); n != 1 {
		t.Errorf("got %d deliveries over the quota, want 1 after midnight", n)
	}
}

func TestXiaomiChannelsAreAnOption(t *testing.T) {
	t.Parallel()
	s := play.NewServer(play.Options{}, New(Options{Channels: []string{"1"}}))
	for body, want := range map[string]int{
		goodForm("a", "extra.channel_id=1"): 0,
		goodForm("a", "extra.channel_id=2"): 27001,
		goodForm("a"):                       27001,
	} {
		if w, got := sendTo(t, s, sendPath, body); *got.Code != want {
			t.Errorf("got %s, want code %d", w.Body, want)
		}
	}
}

// manyForm is a request with a correct message for every target, by channel.
func manyForm(targets ...string) string {
	var list []map[string]any
	for _, t := range targets {
		target, channel, _ := strings.Cut(t, "@")
		extra := map[string]any{"notify_effect": "1"}
		if channel != "" {
			extra["channel_id"] = channel
		}
		list = append(list, map[string]any{"target": target, "message": map[string]any{
			"restricted_package_name": "100001", "title": "t " + target, "description": "d", "pass_through": 0, "notify_id": 7, "time_to_live": 1000, "extra": extra,
		}})
	}
	text, _ := json.Marshal(list)
	return url.Values{"messages": {string(text)}, "time_to_send": {"0"}}.Encode()
}

func TestXiaomiChecksMany(t *testing.T) {
	t.Parallel()
	targets := make([]string, 1001)
	for i := range targets {
		targets[i] = fmt.Sprintf("t%d", i)
	}
	one := func(message string) string {
		return url.Values{"messages": {`[{"target":"a","message":{"restricted_package_name":"100001",` + message + `}}]`}}.Encode()
	}
	tests := []struct {
		name, body string
		want       int
		violation  string
	}{
		{"two messages", manyForm("a", "b"), 0, ""},
		{"two messages for one phone", manyForm("a", "a"), 0, ""},
		{"1,000", manyForm(targets[:1000]...), 0, ""},
		{"1,001", manyForm(targets...), 10017, "messages: 1001 of them, more than 1000"},
		{"none", manyForm(), 10008, "messages: is not a JSON array"},
		{"an empty array", "messages=[]", 10016, "messages: is empty"},
		{"two arrays", "messages=[][]", 10008, "messages: is not a JSON array"},
		{"no target", "messages=" + url.QueryEscape(`[{"message":{}}]`), 10017, "messages.target: has an empty token"},
		{"a field of the other kind of request", manyForm("a") + "&title=t", 0, "title: is not one of the vendor's fields"},
		{"numbers as text", one(`"title":"t","description":"d","pass_through":"0"`), 10008, "messages[0].message.pass_through: must be a number"},
		{"extras with the prefix of forms", one(`"title":"t","description":"d","extra":{"extra.k":"v"}`), 0, "messages[0].message.extra.extra.k: has the prefix of forms"},
		{"extras that are numbers", one(`"title":"t","description":"d","extra":{"k":1}`), 10008, "messages[0].message.extra.k: must be a string"},
		{"a message without title", one(`"description":"d"`), 65011, "messages[0].message.title: is missing or only spaces"},
		{"a time of sending of its own", one(`"title":"t","description":"d","time_to_send":0`), 0, "messages[0].message.time_to_send: is not one of the vendor's fields"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := play.NewServer(play.Options{}, New(Options{}))
			w, got := sendTo(t, s, manyPath, tt.body)
			if *got.Code != tt.want {
				t.Errorf("got %s, want code %d", w.Body, tt.want)
			}
			var said []string
			for _, v := range s.Report().Vendors["xiaomi"].Violations {
				said = append(said, v.What)
			}
			if strings.Join(said, "; ") != tt.violation {
				t.Errorf("got violations %q, want %q", said, tt.violation)
			}
		})
	}
}

func TestXiaomiManyDropsMessages(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		opt     Options
		targets []string
		code    int
		want    map[string]string
	}{
		{"none", Options{}, []string{"a", "b"}, 0, nil},
		{"invalid ones", Options{}, []string{"a", "bad-1"}, 0, map[string]string{"bad_regids": "bad-1"}},
		{"invalid ones without a word", Options{ManySilent: true}, []string{"a", "bad-1"}, 0, nil},
		{"all are invalid", Options{}, []string{"bad-1"}, 20301, nil},
		{"over the quota", Options{DayQuota: 2}, []string{"a", "b@x", "c@x", "d", "e@x"}, 0, map[string]string{"channel_exceed_quota": "no_channel:1 x:2"}},
		{"invalid ones do not count", Options{DayQuota: 1}, []string{"bad-1", "b", "c"}, 0, map[string]string{"bad_regids": "bad-1", "channel_exceed_quota": "no_channel:1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := play.NewServer(play.Options{}, New(tt.opt))
			w, got := sendTo(t, s, manyPath, manyForm(tt.targets...))
			said := map[string]string{}
			for _, key := range []string{"bad_regids", "channel_exceed_quota"} {
				if v, ok := got.Data[key].(string); ok {
					said[key] = v
				}
			}
			if *got.Code != tt.code || !maps.Equal(said, tt.want) {
				t.Errorf("got %s, want code %d with %v", w.Body, tt.code, tt.want)
			}
			if s.Report().Violations() != 0 {
				t.Errorf("got violations %v", s.Report().Vendors["xiaomi"].Violations)
			}
		})
	}
}

func TestXiaomiFaultsComeInItsForm(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"10002":       `"reason":"system busy"`,
		"20301":       `"reason":"No valid targets!"`,
		"20301/other": `"reason":"Message store is not available."`,
		"200002":      `"code":200002,"description":"推送QPS超过限额`,
		"-1":          `"code":-1`,
		"0":           `"result":"ok"`,
		"77":          `"code":77`,
		"nonsense":    `"code":-1`,
	} {
		s := play.NewServer(play.Options{}, New(Options{}))
		if err := s.SetFaults([]play.Fault{{Vendor: "xiaomi", Code: code}}); err != nil {
			t.Fatal(err)
		}
		if w, _ := sendTo(t, s, sendPath, goodForm("a")); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %s, want %s in it", code, w.Body, want)
		}
	}
}

func FuzzXiaomiSend(f *testing.F) {
	f.Add(goodForm("a,b,bad-c", "extra.callback.type=19"))
	f.Add("registration_id=a&pass_through=1&payload=x&restricted_package_name=p")
	f.Add("messages=[]")
	f.Add(manyForm("a", "b@x"))
	f.Add("messages=%5B%7B%22target%22%3A%5B1%5D%2C%22message%22%3A%7B%22extra%22%3A%7B%7D%7D%7D%5D")
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{sendPath, manyPath} {
			s := play.NewServer(play.Options{AnyCredentials: true}, New(Options{}))
			_, got := sendTo(t, s, path, body)
			v := s.Report().Vendors["xiaomi"]
			if *got.Code != 0 && v.Accepted != 0 || *got.Code == 0 && v.Accepted == 0 {
				t.Errorf("accepted %d of %q and answered %d", v.Accepted, body, *got.Code)
			}
			if *got.Code != 0 && *got.Code != 20301 && v.ViolationCount == 0 {
				t.Errorf("%q is refused with %d and no violation", body, *got.Code)
			}
		}
	})
}
