package meizu

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

const (
	notificationPath = "/garcia/api/server/push/varnished/pushByPushId"
	passThroughPath  = "/garcia/api/server/push/unvarnished/pushByPushId"
	goodMessage      = `{"noticeBarInfo":{"noticeMsgType":1,"title":"t","content":"b"},"clickTypeInfo":{"clickType":0},"pushTimeInfo":{"offLine":1,"validTime":24},"advanceInfo":{"notifyKey":"AVJ8lzHw"}}`
)

// signedForm is a correct form of the demo app, or with another secret a wrong one.
func signedForm(message, secret string, ids ...string) url.Values {
	f := url.Values{"appId": {"100001"}, "pushIds": {strings.Join(ids, ",")}, "messageJson": {message}}
	f.Set("sign", signature(f, secret))
	return f
}

func postForm(r *playtest.Rig, path string, f url.Values) string {
	r.T.Helper()
	return r.Must("POST", path, f.Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}).Body
}

// The digests are those of the vendor's Go library and of its README.
func TestMeizuSignsAsTheDocumentsDo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, secret, want string
		form               url.Values
	}{
		{
			"its Go library", "531732bc45324098978bf41c6954c09e", "5bd43df385bec6f236c6417d437741e7",
			url.Values{"appId": {"100999"}, "pushId": {"862891030007404100999"}, "msgType": {"0"}, "subSwitch": {"1"}, "sign": {"x"}},
		},
		{
			"its README", "<APP_SECRET>", "ac076ff25d9900015a681cb5172aa53b",
			url.Values{
				"appId": {"10000"}, "pushIds": {"RA50c6348036344485d01776773577c64740465480a6b"},
				"messageJson": {`{"title":"title","content":"content","pushTimeInfo":{"offLine":1,"validTime":24}}`},
			},
		},
	}
	for _, tt := range tests {
		if got := signature(tt.form, tt.secret); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestMeizuChecksMessages(t *testing.T) {
	t.Parallel()
	with := func(more string) string { return strings.TrimSuffix(goodMessage, "}") + "," + more + "}" }
	click := func(click string) string {
		return strings.Replace(goodMessage, `{"clickType":0}`, click, 1)
	}
	waiting := func(w string) string {
		return strings.Replace(goodMessage, `{"offLine":1,"validTime":24}`, w, 1)
	}
	tests := []struct {
		name, path, message, code string
		violations                int
	}{
		{"a correct one", notificationPath, goodMessage, "200", 0},
		{"flags as the library writes them", notificationPath, waiting(`{"offLine":true,"validTime":1}`), "200", 0},
		{"a receipt address", notificationPath, with(`"extra":{"callback":"https://a","callback.param":"p","callback.type":"3"}`), "200", 0},
		{"no JSON", notificationPath, "hello", "1005", 1},
		{"a list", notificationPath, "[]", "1005", 1},
		{"no title", notificationPath, strings.Replace(goodMessage, `"title":"t",`, "", 1), "110004", 1},
		{"no content", notificationPath, strings.Replace(goodMessage, `"content":"b"`, `"content":""`, 1), "110004", 1},
		{"a title of 32", notificationPath, strings.Replace(goodMessage, `"title":"t"`, `"title":"`+strings.Repeat("汉", 32)+`"`, 1), "200", 0},
		{"a title of 33", notificationPath, strings.Replace(goodMessage, `"title":"t"`, `"title":"`+strings.Repeat("汉", 33)+`"`, 1), "1005", 1},
		{"a content of 101", notificationPath, strings.Replace(goodMessage, `"content":"b"`, `"content":"`+strings.Repeat("b", 101)+`"`, 1), "1005", 1},
		{"a title that is a number", notificationPath, strings.Replace(goodMessage, `"title":"t"`, `"title":1`, 1), "1005", 2},
		{"validTime 0", notificationPath, waiting(`{"offLine":1,"validTime":0}`), "1005", 1},
		{"validTime 73", notificationPath, waiting(`{"offLine":1,"validTime":73}`), "1005", 1},
		{"validTime in words", notificationPath, waiting(`{"offLine":1,"validTime":"24h"}`), "1005", 1},
		{"offLine without validTime", notificationPath, waiting(`{"offLine":1}`), "110004", 1},
		{"an activity without its name", notificationPath, click(`{"clickType":1}`), "110004", 1},
		{"a page without its address", notificationPath, click(`{"clickType":2}`), "110004", 1},
		{"parameters that are text", notificationPath, click(`{"clickType":0,"parameters":"{}"}`), "1005", 1},
		{"clickType 3 is forgiven", notificationPath, click(`{"clickType":3}`), "200", 1},
		{"a notifyKey of 9", notificationPath, strings.Replace(goodMessage, "AVJ8lzHw", "AVJ8lzHw9", 1), "1005", 1},
		{"a receipt address of 129 bytes", notificationPath, with(`"extra":{"callback":"` + strings.Repeat("a", 129) + `"}`), "1005", 1},
		{"a receipt type 4", notificationPath, with(`"extra":{"callback.type":4}`), "1005", 1},
		{"a field that is not the vendor's", notificationPath, with(`"ttl":1`), "200", 1},
		{"a pass-through message", passThroughPath, `{"content":"c","pushTimeInfo":{"offLine":1,"validTime":1}}`, "200", 0},
		{"a pass-through message without content", passThroughPath, `{"title":"t"}`, "110004", 1},
		{"a pass-through message of 2,001", passThroughPath, `{"content":"` + strings.Repeat("c", 2001) + `"}`, "1005", 1},
		{"a notification on the wrong path", passThroughPath, goodMessage, "110004", 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := playtest.New(t, play.Options{}, New(Options{}))
			got := postForm(r, tt.path, signedForm(tt.message, "demo-secret", "a"))
			if playtest.CodeOf(t, got) != tt.code {
				t.Errorf("got %s, want %s", got, tt.code)
			}
			if n := r.Report().Violations(); n != int64(tt.violations) {
				t.Errorf("got %d violations, want %d: %v", n, tt.violations, r.Report().Vendors["meizu"].Violations)
			}
		})
	}
}

func TestMeizuChecksCallers(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{}, New(Options{}))
	change := func(name string, values ...string) url.Values {
		f := signedForm(goodMessage, "demo-secret", "a")
		f[name] = values
		if name != "sign" {
			f.Set("sign", signature(f, "demo-secret"))
		}
		return f
	}
	ids := make([]string, 101)
	for i := range ids {
		ids[i] = "id" + strings.Repeat("x", i)
	}
	tests := []struct {
		name string
		form url.Values
		code string
		said []string
	}{
		{"a correct one", change("appId", "100001"), "200", nil},
		{"package names of the library", change("restrictedPackageNames", "com.example"), "200", nil},
		{"another app", change("appId", "9"), "110000", []string{"appId: no such app"}},
		{"no signature", change("sign"), "110004", []string{"sign: is missing"}},
		{"another secret", signedForm(goodMessage, "x", "a"), "1006", []string{"sign: is not the signature of the parameters"}},
		{"a signature in capitals", change("sign", strings.ToUpper(signedForm(goodMessage, "demo-secret", "a").Get("sign"))), "1006", []string{"sign: is not the signature of the parameters"}},
		{"no push ids", signedForm(goodMessage, "demo-secret"), "110004", []string{"pushIds: is missing"}},
		{"an empty push id", signedForm(goodMessage, "demo-secret", "a", ""), "1005", []string{"pushIds: number 2 is empty"}},
		{"100 push ids", signedForm(goodMessage, "demo-secret", ids[:100]...), "200", nil},
		{"101 push ids", signedForm(goodMessage, "demo-secret", ids...), "1005", []string{"pushIds: 101, not 1 to 100"}},
		{"a push id twice", signedForm(goodMessage, "demo-secret", "a", "b", "a"), "200", []string{"pushIds: 1 are there twice: their users get the message twice"}},
		{"a parameter twice", change("pushIds", "a", "b"), "1005", []string{"pushIds: is there twice"}},
		{"a parameter that is not one of the vendor's", change("ttl", "1"), "200", []string{"a parameter that is not one of the vendor's"}},
	}
	for _, tt := range tests {
		r.Reset()
		if got := postForm(r, notificationPath, tt.form); playtest.CodeOf(t, got) != tt.code {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.code)
		}
		r.WantSaid("meizu", tt.said...)
	}
	if got := r.Must("GET", notificationPath, "", nil); got.Status != 405 {
		t.Errorf("GET: got %d, want 405", got.Status)
	}
	body := change("appId", "100001").Encode()
	if got := r.Must("POST", notificationPath, body, map[string]string{"Content-Type": "application/json"}); playtest.CodeOf(t, got.Body) != "1005" {
		t.Errorf("as JSON: got %s, want 1005", got.Body)
	}
}

func TestMeizuNamesPushIDsByTheirFate(t *testing.T) {
	t.Parallel()
	all := []string{"good", "bad-1", "malformed-1", "mute-1", "denied-1", "broken-1", "failed-1", "slow-1", "busy-1", "folded-1", "full-1", "bad-2"}
	r := playtest.New(t, play.Options{}, New(Options{}))
	got := postForm(r, notificationPath, signedForm(goodMessage, "demo-secret", all...))
	want := `{"code":"200","message":"","value":{"110002":["bad-1","bad-2"],"110003":["malformed-1"],"110010":["mute-1"],"110011":["full-1"],` +
		`"201":["denied-1"],"501":["broken-1"],"513":["failed-1"],"518":["slow-1"],"519":["busy-1"],"520":["folded-1"]},"msgId":"NS`
	if !strings.HasPrefix(got, want) {
		t.Errorf("got %s, want %s…", got, want)
	}
	if v := r.Report().Vendors["meizu"]; v.Accepted != 1 || v.Invalid != 11 || r.Count("meizu", "good") != 1 || r.Count("meizu", "mute-1") != 0 {
		t.Errorf("got %d accepted and %d not, want 1 and 11", v.Accepted, v.Invalid)
	}
}

func TestMeizuLeavesOpenWhatItsDocumentsDo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path, message, id, want string
		opt                           Options
	}{
		{"a lone invalid id in value", notificationPath, goodMessage, "bad-1", `{"code":"200","message":"","value":{"110002":["bad-1"]}`, Options{}},
		{"a lone invalid id at the top", notificationPath, goodMessage, "bad-1", `{"code":"110002","message":"pushId未注册","value":"","redirect":""}`, Options{TopInvalid: true}},
		{"a lone muted id stays in value", notificationPath, goodMessage, "mute-1", `{"code":"200","message":"","value":{"110010":["mute-1"]}`, Options{TopInvalid: true}},
		{"codes as numbers", notificationPath, goodMessage, "a", `{"code":200,"message":"","value":{},`, Options{NumberCodes: true}},
		{"no pass-through", passThroughPath, `{"content":"c"}`, "a", `{"code":"110053","message":"透传超过限制","value":"","redirect":""}`, Options{NoPassThrough: true}},
		{"a registered address", notificationPath, `{"noticeBarInfo":{"title":"t","content":"b"},"extra":{"callback":"https://a"}}`, "a", `{"code":"200"`, Options{Callbacks: []string{"https://a"}}},
		{"another address", notificationPath, `{"noticeBarInfo":{"title":"t","content":"b"},"extra":{"callback":"https://b"}}`, "a", `{"code":"1005"`, Options{Callbacks: []string{"https://a"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := playtest.New(t, play.Options{}, New(tt.opt))
			if got := postForm(r, tt.path, signedForm(tt.message, "demo-secret", tt.id)); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %s, want %s…", got, tt.want)
			}
		})
	}
}

// The rate counts requests, and what it refuses reaches nobody.
func TestMeizuRateCountsRequests(t *testing.T) {
	t.Parallel()
	c := playtest.NewClock()
	r := playtest.New(t, play.Options{Rate: 2, Now: c.Now}, New(Options{}))
	for i, want := range []string{"200", "200", "110010"} {
		got := postForm(r, notificationPath, signedForm(goodMessage, "demo-secret", "a", "b", "c"))
		if playtest.CodeOf(t, got) != want {
			t.Errorf("request %d: got %s, want %s", i+1, got, want)
		}
		if want == "110010" && got != `{"code":"110010","message":"应用请求频率超过限制","value":"","redirect":""}` {
			t.Errorf("got %s, want the document's text", got)
		}
	}
	c.Pass(2 * time.Second)
	if got := postForm(r, notificationPath, signedForm(goodMessage, "demo-secret", "a")); playtest.CodeOf(t, got) != "200" {
		t.Errorf("later: got %s, want 200", got)
	}
	if r.Count("meizu", "c") != 2 {
		t.Errorf("got c %d times, want twice", r.Count("meizu", "c"))
	}
}

func TestMeizuAnswersCodesOfFaults(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{}, New(Options{}))
	if err := r.SetFaults([]play.Fault{{Vendor: "meizu", Endpoint: "send", Code: "1003", Times: 1}}); err != nil {
		t.Fatal(err)
	}
	want := `{"code":"1003","message":"服务器忙","value":"","redirect":""}`
	if got := postForm(r, notificationPath, signedForm(goodMessage, "demo-secret", "a")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzMeizuSend(f *testing.F) {
	f.Add(signedForm(goodMessage, "x", "a", "bad-1").Encode())
	f.Add("appId=1&pushIds=a,,b&messageJson={}&sign=")
	f.Add("appId=1;pushIds=%zz")
	f.Fuzz(func(t *testing.T, body string) {
		s := play.NewServer(play.Options{AnyCredentials: true}, New(Options{}))
		w := playtest.Record(s, playtest.Post(notificationPath, []byte(body), map[string]string{"Content-Type": "application/x-www-form-urlencoded"}))
		form, err := url.ParseQuery(body)
		v := s.Report().Vendors["meizu"]
		if got := playtest.CodeOf(t, w.Body.String()); got == "200" && (err != nil || v.Accepted+v.Invalid != int64(len(strings.Split(form.Get("pushIds"), ",")))) {
			t.Errorf("accepted %q: %d accepted, %d not", body, v.Accepted, v.Invalid)
		}
	})
}
