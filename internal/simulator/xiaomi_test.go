package simulator

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
)

const (
	xiaomiPath  = "/v3/message/regid"
	xiaomiMulti = "/v2/multi_messages/regids"
)

func xiaomiHeader() map[string]string {
	return map[string]string{"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8", "Authorization": "key=demo-secret"}
}

// xiaomiGood is a right notification to some tokens, with fields replaced by
// name=value pairs; a pair without = takes the field out.
func xiaomiGood(tokens string, changes ...string) string {
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

type xiaomiReply struct {
	Result, Reason, Description, Info string
	TraceID                           string `json:"trace_id"`
	Code                              *int
	Data                              map[string]any
}

func xiaomiRead(t *testing.T, body []byte) xiaomiReply {
	t.Helper()
	var r xiaomiReply
	if err := json.Unmarshal(body, &r); err != nil || r.Code == nil || !strings.HasPrefix(r.TraceID, "X") || (r.Result == "ok") != (*r.Code == 0) || (r.Data != nil) != (*r.Code == 0) {
		t.Fatalf("%s is no answer of the vendor's (%v)", body, err)
	}
	return r
}

func xiaomiSend(t *testing.T, s *Simulator, path, body string) (*httptest.ResponseRecorder, xiaomiReply) {
	t.Helper()
	w := record(s, post(path, []byte(body), xiaomiHeader()))
	if w.Code != http.StatusOK {
		t.Fatalf("got HTTP %d, want 200 always", w.Code)
	}
	return w, xiaomiRead(t, w.Body.Bytes())
}

func TestXiaomiJudgesForms(t *testing.T) {
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
		{"a right notification", xiaomiGood("a"), 0},
		{"several packages", xiaomiGood("a", "restricted_package_name=com.b,100001"), 0},
		{"1,000 tokens", xiaomiGood(many(1000)), 0},
		{"data", xiaomiGood("a", "pass_through=1", "title", "description", "notify_type", "notify_id", "payload={}"), 0},

		{"no form", "%zz", 10008},
		{"no tokens", xiaomiGood(""), 10016},
		{"an empty token", xiaomiGood("a,,b"), 10017},
		{"1,001 tokens", xiaomiGood(many(1001)), 10017},
		{"no package", xiaomiGood("a", "restricted_package_name"), 22022},
		{"another app's package", xiaomiGood("a", "restricted_package_name=com.b"), 22022},
		{"no title", xiaomiGood("a", "title"), 65011},
		{"a blank title", xiaomiGood("a", "title= \t"), 65011},
		{"no description", xiaomiGood("a", "description="), 65011},
		{"a title of 49", xiaomiGood("a", "title="+strings.Repeat("字", 49)), 0},
		{"a title of 50", xiaomiGood("a", "title="+strings.Repeat("字", 50)), 10017},
		{"a description of 127", xiaomiGood("a", "description="+strings.Repeat("字", 127)), 0},
		{"a description of 128", xiaomiGood("a", "description="+strings.Repeat("字", 128)), 10017},
		{"data without payload", xiaomiGood("a", "pass_through=1", "title", "description"), 10016},
		{"pass_through 2", xiaomiGood("a", "pass_through=2"), 10017},
		{"pass_through in words", xiaomiGood("a", "pass_through=true"), 10008},
		{"notify_type 7", xiaomiGood("a", "notify_type=7"), 0},
		{"notify_type 8", xiaomiGood("a", "notify_type=8"), 10017},
		{"a notify_id of 33 bits", xiaomiGood("a", "notify_id=4294967296"), 10017},
		{"a time to live of nothing", xiaomiGood("a", "time_to_live=0"), 10017},
		{"a time to live in words", xiaomiGood("a", "time_to_live=24h"), 10008},
		{"notify_effect 4", xiaomiGood("a", "extra.notify_effect=4"), 10017},
		{"notify_effect 2 without intent", xiaomiGood("a", "extra.notify_effect=2"), 10016},
		{"notify_effect 2 with an intent", xiaomiGood("a", "extra.notify_effect=2", "extra.intent_uri=intent:x"), 0},
		{"notify_effect 3 without URL", xiaomiGood("a", "extra.notify_effect=3"), 10016},
		{"notify_effect 3 with something else", xiaomiGood("a", "extra.notify_effect=3", "extra.web_uri=x"), 10017},
		{"notify_effect 3 with a URL", xiaomiGood("a", "extra.notify_effect=3", "extra.web_uri=http://x"), 0},
		{"a jobkey that begins with _", xiaomiGood("a", "extra.jobkey=_a"), 70012},
		{"a jobkey of 13", xiaomiGood("a", "extra.jobkey=1234567890123"), 70012},
		{"a callback that is no URL", xiaomiGood("a", "extra.callback=ours"), 65038},
		{"a callback's param of 65", xiaomiGood("a", "extra.callback.param="+strings.Repeat("p", 65)), 65036},
		{"ten extras", xiaomiGood("a", "extra.1=", "extra.2=", "extra.3=", "extra.4=", "extra.5=", "extra.6=", "extra.7=", "extra.8="), 0},
		{"eleven extras", xiaomiGood("a", "extra.1=", "extra.2=", "extra.3=", "extra.4=", "extra.5=", "extra.6=", "extra.7=", "extra.8=", "extra.9="), 65014},
		{"extras of 1,025", xiaomiGood("a", "extra.k="+strings.Repeat("v", 1025-len("k"+"notify_effect1"+"jobkeyk1"))), 65015},
		{"extras of 1,024", xiaomiGood("a", "extra.k="+strings.Repeat("v", 1024-len("k"+"notify_effect1"+"jobkeyk1"))), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{})
			w, got := xiaomiSend(t, s, xiaomiPath, tt.body)
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
		{"a field that is not the vendor's", xiaomiGood("a", "prio=1"), "prio: is no field of the vendor's"},
		{"extras in an object", xiaomiGood("a", "extra={}"), "extra: is no field of the vendor's"},
		{"a field twice", xiaomiGood("a") + "&title=x", "title: stands there twice"},
		{"the same token twice", xiaomiGood("a,b,a"), "registration_id: 1 tokens stand there twice"},
		{"a token that was not escaped", strings.Replace(xiaomiGood("a%"), "a%25", "a+b", 1), "registration_id: holds a token with a blank; is it escaped for a form?"},
		{"a payload escaped twice", xiaomiGood("a", "payload=%7B%7D"), "payload: is escaped twice"},
		{"a title for data", xiaomiGood("a", "pass_through=1", "payload=p", "description"), "title: means nothing with pass_through 1"},
		{"seconds for milliseconds", xiaomiGood("a", "time_to_live=900"), "time_to_live: is under a second: the unit is milliseconds"},
		{"more than ten days", xiaomiGood("a", "time_to_live=864000001"), "time_to_live: is over 10 days"},
		{"a sum of receipts that means nothing", xiaomiGood("a", "extra.callback.type=246"), "extra.callback.type: is no sum of 1, 2, 16, 32, 64, 128 and 1024"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{})
			if w, got := xiaomiSend(t, s, xiaomiPath, tt.body); *got.Code != 0 {
				t.Errorf("got %s, want success", w.Body)
			}
			want := []Violation{{"xiaomi", "send", tt.want}}
			if got := s.Report().Vendors["xiaomi"].Violations; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestXiaomiGuardsTheDoor(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{
		Credentials: map[string][]Credential{"xiaomi": {{App: "com.a", Secret: "sa=="}, {App: "com.b", Secret: "sb"}}},
		Xiaomi:      XiaomiOptions{SchemeStatus: 401},
	})
	body := xiaomiGood("a", "restricted_package_name=com.a")
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
		{"GET", "GET", xiaomiPath, "key=sa==", form, 405, -1, 1},
		{"another scheme", "POST", xiaomiPath, "Bearer sa==", form, 401, -1, 1},
		{"capitals", "POST", xiaomiPath, "Key=sa==", form, 401, -1, 1},
		{"a blank", "POST", xiaomiPath, "key= sa==", form, 200, 21301, 1},
		{"no secret", "POST", xiaomiPath, "", form, 401, -1, 1},
		{"a wrong secret", "POST", xiaomiPath, "key=x", form, 200, 21301, 1},
		{"another app's secret", "POST", xiaomiPath, "key=sb", form, 200, 22022, 1},
		{"JSON's content type", "POST", xiaomiPath, "key=sa==", "application/json", 200, 10012, 1},
		{"parameters in the URL", "POST", xiaomiPath + "?a=b", "key=sa==", form, 200, 0, 1},
	}
	for _, tt := range tests {
		r.Reset()
		header := map[string]string{"Content-Type": tt.contentType}
		if tt.auth != "" {
			header["Authorization"] = tt.auth
		}
		got := r.must(tt.method, tt.path, body, header)
		if got.status != tt.status || tt.want >= 0 && *xiaomiRead(t, []byte(got.body)).Code != tt.want {
			t.Errorf("%s: got %d %s, want %d %d", tt.name, got.status, got.body, tt.status, tt.want)
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
		opt          XiaomiOptions
		code         int
		key          string // of the rejected tokens; "" means none
		want         string
	}{
		{"none", "a,b", XiaomiOptions{}, 0, "", ""},
		{"some", "a,bad-1,b,bad-2", XiaomiOptions{}, 0, "bad_regids", "bad-1,bad-2"},
		{"some, spelt otherwise", "a,bad-1", XiaomiOptions{CamelBad: true}, 0, "bad_regIds", "bad-1"},
		{"all", "bad-1,bad-2", XiaomiOptions{}, 20301, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{Xiaomi: tt.opt})
			w, got := xiaomiSend(t, s, xiaomiPath, xiaomiGood(tt.tokens))
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
	clk := newClock()
	s := New(Options{Now: clk.now, Xiaomi: XiaomiOptions{ReasonOnSuccess: true}})
	w, _ := xiaomiSend(t, s, xiaomiPath, xiaomiGood("a"))
	want := `{"result":"ok","reason":"Success","trace_id":"Xdm1767323045000000001Ut","code":0,"data":{"id":"sdm1767323045000000001KF","day_acked":"1","day_quota":"50000"},"description":"成功","info":"Received push messages for 1 REGID"}`
	if got := w.Body.String(); got != want {
		t.Errorf("got\n%s want\n%s", got, want)
	}
	w, _ = xiaomiSend(t, s, xiaomiPath, xiaomiGood("bad-a"))
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
	clk := newClock()
	s := New(Options{Now: clk.now, Rates: map[string]float64{"xiaomi": 2}})
	for i, want := range []int{0, 0, 200002, 200002} {
		if _, got := xiaomiSend(t, s, xiaomiPath, xiaomiGood("a,b,c")); *got.Code != want {
			t.Errorf("request %d: got %d, want %d", i+1, *got.Code, want)
		}
	}
	clk.pass(time.Second)
	if _, got := xiaomiSend(t, s, xiaomiPath, xiaomiGood("a")); *got.Code != 0 {
		t.Errorf("a second later: got %d, want 0", *got.Code)
	}
	if v := s.Report().Vendors["xiaomi"]; v.RateRefused != 2 || v.ViolationCount != 0 {
		t.Errorf("got %d refused, %d violations; want 2, 0", v.RateRefused, v.ViolationCount)
	}
}

func TestXiaomiDayQuotaLastsUntilMidnightInBeijing(t *testing.T) {
	t.Parallel()
	clk := newClock() // 03:04:05 UTC is 11:04:05 in Beijing
	s := New(Options{Now: clk.now, Xiaomi: XiaomiOptions{DayQuota: 3}})
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
		clk.pass(step.wait)
		if _, got := xiaomiSend(t, s, xiaomiPath, xiaomiGood(step.tokens)); *got.Code != step.want {
			t.Errorf("step %d: got %d, want %d", i+1, *got.Code, step.want)
		}
	}
	if n := s.Count("xiaomi", "e"); n != 1 {
		t.Errorf("got %d deliveries over the quota, want 1 after midnight", n)
	}
}

func TestXiaomiChannelsAreAKnob(t *testing.T) {
	t.Parallel()
	s := New(Options{Xiaomi: XiaomiOptions{Channels: []string{"1"}}})
	for body, want := range map[string]int{
		xiaomiGood("a", "extra.channel_id=1"): 0,
		xiaomiGood("a", "extra.channel_id=2"): 27001,
		xiaomiGood("a"):                       27001,
	} {
		if w, got := xiaomiSend(t, s, xiaomiPath, body); *got.Code != want {
			t.Errorf("got %s, want code %d", w.Body, want)
		}
	}
}

// xiaomiMany is a request with a right message for every target, by channel.
func xiaomiMany(targets ...string) string {
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

func TestXiaomiJudgesMany(t *testing.T) {
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
		{"two messages", xiaomiMany("a", "b"), 0, ""},
		{"two messages for one phone", xiaomiMany("a", "a"), 0, ""},
		{"1,000", xiaomiMany(targets[:1000]...), 0, ""},
		{"1,001", xiaomiMany(targets...), 10017, "messages: 1001 of them, more than 1000"},
		{"none", xiaomiMany(), 10008, "messages: is not a JSON array"},
		{"an empty array", "messages=[]", 10016, "messages: is empty"},
		{"two arrays", "messages=[][]", 10008, "messages: is not a JSON array"},
		{"no target", "messages=" + url.QueryEscape(`[{"message":{}}]`), 10017, "messages.target: holds an empty token"},
		{"a field of the other kind of request", xiaomiMany("a") + "&title=t", 0, "title: is no field of the vendor's"},
		{"numbers as text", one(`"title":"t","description":"d","pass_through":"0"`), 10008, "messages[0].message.pass_through: must be a number"},
		{"extras with the prefix of forms", one(`"title":"t","description":"d","extra":{"extra.k":"v"}`), 0, "messages[0].message.extra.extra.k: has the prefix of forms"},
		{"extras that are numbers", one(`"title":"t","description":"d","extra":{"k":1}`), 10008, "messages[0].message.extra.k: must be a string"},
		{"a message without title", one(`"description":"d"`), 65011, "messages[0].message.title: is missing or all blank"},
		{"a time of sending of its own", one(`"title":"t","description":"d","time_to_send":0`), 0, "messages[0].message.time_to_send: is no field of the vendor's"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{})
			w, got := xiaomiSend(t, s, xiaomiMulti, tt.body)
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

func TestXiaomiManyThrowsMessagesAway(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		opt     XiaomiOptions
		targets []string
		code    int
		want    map[string]string
	}{
		{"none", XiaomiOptions{}, []string{"a", "b"}, 0, nil},
		{"invalid ones", XiaomiOptions{}, []string{"a", "bad-1"}, 0, map[string]string{"bad_regids": "bad-1"}},
		{"invalid ones without a word", XiaomiOptions{ManySilent: true}, []string{"a", "bad-1"}, 0, nil},
		{"all are invalid", XiaomiOptions{}, []string{"bad-1"}, 20301, nil},
		{"over the quota", XiaomiOptions{DayQuota: 2}, []string{"a", "b@x", "c@x", "d", "e@x"}, 0, map[string]string{"channel_exceed_quota": "no_channel:1 x:2"}},
		{"invalid ones do not count", XiaomiOptions{DayQuota: 1}, []string{"bad-1", "b", "c"}, 0, map[string]string{"bad_regids": "bad-1", "channel_exceed_quota": "no_channel:1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := New(Options{Xiaomi: tt.opt})
			w, got := xiaomiSend(t, s, xiaomiMulti, xiaomiMany(tt.targets...))
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

func TestXiaomiFaultsSpeakItsLanguage(t *testing.T) {
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
		s := New(Options{})
		if err := s.SetFaults([]Fault{{Vendor: "xiaomi", Code: code}}); err != nil {
			t.Fatal(err)
		}
		if w, _ := xiaomiSend(t, s, xiaomiPath, xiaomiGood("a")); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: got %s, want %s in it", code, w.Body, want)
		}
	}
}

func FuzzXiaomiSend(f *testing.F) {
	f.Add(xiaomiGood("a,b,bad-c", "extra.callback.type=19"))
	f.Add("registration_id=a&pass_through=1&payload=x&restricted_package_name=p")
	f.Add("messages=[]")
	f.Add(xiaomiMany("a", "b@x"))
	f.Add("messages=%5B%7B%22target%22%3A%5B1%5D%2C%22message%22%3A%7B%22extra%22%3A%7B%7D%7D%7D%5D")
	f.Fuzz(func(t *testing.T, body string) {
		for _, path := range []string{xiaomiPath, xiaomiMulti} {
			s := New(Options{AnyCredentials: true})
			_, got := xiaomiSend(t, s, path, body)
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
