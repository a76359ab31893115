package simulator

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	meizuShow = "/garcia/api/server/push/varnished/pushByPushId"
	meizuHand = "/garcia/api/server/push/unvarnished/pushByPushId"
	meizuGood = `{"noticeBarInfo":{"noticeMsgType":1,"title":"t","content":"b"},"clickTypeInfo":{"clickType":0},"pushTimeInfo":{"offLine":1,"validTime":24},"advanceInfo":{"notifyKey":"AVJ8lzHw"}}`
)

// meizuForm is a right form of the demo app, or with another secret a wrong one.
func meizuForm(message, secret string, ids ...string) url.Values {
	f := url.Values{"appId": {"100001"}, "pushIds": {strings.Join(ids, ",")}, "messageJson": {message}}
	f.Set("sign", meizuSign(f, secret))
	return f
}

func (r *rig) meizu(path string, f url.Values) string {
	r.t.Helper()
	return r.must("POST", path, f.Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}).body
}

func (r *rig) wantSaid(vendor string, want ...string) {
	r.t.Helper()
	var got []string
	for _, v := range r.Report().Vendors[vendor].Violations {
		got = append(got, v.What)
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("got violations %q, want %q", got, want)
	}
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
		if got := meizuSign(tt.form, tt.secret); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestMeizuJudgesMessages(t *testing.T) {
	t.Parallel()
	with := func(more string) string { return strings.TrimSuffix(meizuGood, "}") + "," + more + "}" }
	click := func(click string) string {
		return strings.Replace(meizuGood, `{"clickType":0}`, click, 1)
	}
	waiting := func(w string) string {
		return strings.Replace(meizuGood, `{"offLine":1,"validTime":24}`, w, 1)
	}
	tests := []struct {
		name, path, message, code string
		violations                int
	}{
		{"a right one", meizuShow, meizuGood, "200", 0},
		{"flags as the library writes them", meizuShow, waiting(`{"offLine":true,"validTime":1}`), "200", 0},
		{"a receipt address", meizuShow, with(`"extra":{"callback":"https://a","callback.param":"p","callback.type":"3"}`), "200", 0},
		{"no JSON", meizuShow, "hello", "1005", 1},
		{"a list", meizuShow, "[]", "1005", 1},
		{"no title", meizuShow, strings.Replace(meizuGood, `"title":"t",`, "", 1), "110004", 1},
		{"no content", meizuShow, strings.Replace(meizuGood, `"content":"b"`, `"content":""`, 1), "110004", 1},
		{"a title of 32", meizuShow, strings.Replace(meizuGood, `"title":"t"`, `"title":"`+strings.Repeat("汉", 32)+`"`, 1), "200", 0},
		{"a title of 33", meizuShow, strings.Replace(meizuGood, `"title":"t"`, `"title":"`+strings.Repeat("汉", 33)+`"`, 1), "1005", 1},
		{"a content of 101", meizuShow, strings.Replace(meizuGood, `"content":"b"`, `"content":"`+strings.Repeat("b", 101)+`"`, 1), "1005", 1},
		{"a title that is a number", meizuShow, strings.Replace(meizuGood, `"title":"t"`, `"title":1`, 1), "1005", 2},
		{"validTime 0", meizuShow, waiting(`{"offLine":1,"validTime":0}`), "1005", 1},
		{"validTime 73", meizuShow, waiting(`{"offLine":1,"validTime":73}`), "1005", 1},
		{"validTime in words", meizuShow, waiting(`{"offLine":1,"validTime":"24h"}`), "1005", 1},
		{"offLine without validTime", meizuShow, waiting(`{"offLine":1}`), "110004", 1},
		{"an activity without its name", meizuShow, click(`{"clickType":1}`), "110004", 1},
		{"a page without its address", meizuShow, click(`{"clickType":2}`), "110004", 1},
		{"parameters that are text", meizuShow, click(`{"clickType":0,"parameters":"{}"}`), "1005", 1},
		{"clickType 3 is forgiven", meizuShow, click(`{"clickType":3}`), "200", 1},
		{"a notifyKey of 9", meizuShow, strings.Replace(meizuGood, "AVJ8lzHw", "AVJ8lzHw9", 1), "1005", 1},
		{"a receipt address of 129 bytes", meizuShow, with(`"extra":{"callback":"` + strings.Repeat("a", 129) + `"}`), "1005", 1},
		{"a receipt type 4", meizuShow, with(`"extra":{"callback.type":4}`), "1005", 1},
		{"a field that is not the vendor's", meizuShow, with(`"ttl":1`), "200", 1},
		{"a pass-through message", meizuHand, `{"content":"c","pushTimeInfo":{"offLine":1,"validTime":1}}`, "200", 0},
		{"a pass-through message without content", meizuHand, `{"title":"t"}`, "110004", 1},
		{"a pass-through message of 2,001", meizuHand, `{"content":"` + strings.Repeat("c", 2001) + `"}`, "1005", 1},
		{"a notification on the wrong path", meizuHand, meizuGood, "110004", 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, Options{})
			got := r.meizu(tt.path, meizuForm(tt.message, "demo-secret", "a"))
			if code(t, got) != tt.code {
				t.Errorf("got %s, want %s", got, tt.code)
			}
			if n := r.Report().Violations(); n != int64(tt.violations) {
				t.Errorf("got %d violations, want %d: %v", n, tt.violations, r.Report().Vendors["meizu"].Violations)
			}
		})
	}
}

func TestMeizuGuardsTheDoor(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	change := func(name string, values ...string) url.Values {
		f := meizuForm(meizuGood, "demo-secret", "a")
		f[name] = values
		if name != "sign" {
			f.Set("sign", meizuSign(f, "demo-secret"))
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
		{"a right one", change("appId", "100001"), "200", nil},
		{"package names of the library", change("restrictedPackageNames", "com.example"), "200", nil},
		{"another app", change("appId", "9"), "110000", []string{"appId: no such app"}},
		{"no signature", change("sign"), "110004", []string{"sign: is missing"}},
		{"another secret", meizuForm(meizuGood, "x", "a"), "1006", []string{"sign: is not the signature of what was sent"}},
		{"a signature in capitals", change("sign", strings.ToUpper(meizuForm(meizuGood, "demo-secret", "a").Get("sign"))), "1006", []string{"sign: is not the signature of what was sent"}},
		{"no push ids", meizuForm(meizuGood, "demo-secret"), "110004", []string{"pushIds: is missing"}},
		{"an empty push id", meizuForm(meizuGood, "demo-secret", "a", ""), "1005", []string{"pushIds: number 2 is empty"}},
		{"100 push ids", meizuForm(meizuGood, "demo-secret", ids[:100]...), "200", nil},
		{"101 push ids", meizuForm(meizuGood, "demo-secret", ids...), "1005", []string{"pushIds: 101, not 1 to 100"}},
		{"a push id twice", meizuForm(meizuGood, "demo-secret", "a", "b", "a"), "200", []string{"pushIds: 1 stand there twice: their users get the message twice"}},
		{"a parameter twice", change("pushIds", "a", "b"), "1005", []string{"pushIds: stands there twice"}},
		{"a parameter that is not the vendor's", change("ttl", "1"), "200", []string{"a parameter that is not the vendor's"}},
	}
	for _, tt := range tests {
		r.Reset()
		if got := r.meizu(meizuShow, tt.form); code(t, got) != tt.code {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.code)
		}
		r.wantSaid("meizu", tt.said...)
	}
	if got := r.must("GET", meizuShow, "", nil); got.status != 405 {
		t.Errorf("GET: got %d, want 405", got.status)
	}
	body := change("appId", "100001").Encode()
	if got := r.must("POST", meizuShow, body, map[string]string{"Content-Type": "application/json"}); code(t, got.body) != "1005" {
		t.Errorf("as JSON: got %s, want 1005", got.body)
	}
}

func TestMeizuNamesPushIDsByTheirFate(t *testing.T) {
	t.Parallel()
	all := []string{"good", "bad-1", "malformed-1", "mute-1", "denied-1", "broken-1", "failed-1", "slow-1", "busy-1", "folded-1", "full-1", "bad-2"}
	r := newRig(t, Options{})
	got := r.meizu(meizuShow, meizuForm(meizuGood, "demo-secret", all...))
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
		opt                           MeizuOptions
	}{
		{"a lone invalid id in value", meizuShow, meizuGood, "bad-1", `{"code":"200","message":"","value":{"110002":["bad-1"]}`, MeizuOptions{}},
		{"a lone invalid id at the top", meizuShow, meizuGood, "bad-1", `{"code":"110002","message":"pushId未注册","value":"","redirect":""}`, MeizuOptions{TopInvalid: true}},
		{"a lone muted id stays in value", meizuShow, meizuGood, "mute-1", `{"code":"200","message":"","value":{"110010":["mute-1"]}`, MeizuOptions{TopInvalid: true}},
		{"codes as numbers", meizuShow, meizuGood, "a", `{"code":200,"message":"","value":{},`, MeizuOptions{NumberCodes: true}},
		{"no pass-through", meizuHand, `{"content":"c"}`, "a", `{"code":"110053","message":"透传超过限制","value":"","redirect":""}`, MeizuOptions{NoPassThrough: true}},
		{"a registered address", meizuShow, `{"noticeBarInfo":{"title":"t","content":"b"},"extra":{"callback":"https://a"}}`, "a", `{"code":"200"`, MeizuOptions{Callbacks: []string{"https://a"}}},
		{"another address", meizuShow, `{"noticeBarInfo":{"title":"t","content":"b"},"extra":{"callback":"https://b"}}`, "a", `{"code":"1005"`, MeizuOptions{Callbacks: []string{"https://a"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, Options{Meizu: tt.opt})
			if got := r.meizu(tt.path, meizuForm(tt.message, "demo-secret", tt.id)); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %s, want %s…", got, tt.want)
			}
		})
	}
}

// The rate counts requests, and what it refuses reaches nobody.
func TestMeizuRateCountsRequests(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := newRig(t, Options{Rate: 2, Now: c.now})
	for i, want := range []string{"200", "200", "110010"} {
		got := r.meizu(meizuShow, meizuForm(meizuGood, "demo-secret", "a", "b", "c"))
		if code(t, got) != want {
			t.Errorf("request %d: got %s, want %s", i+1, got, want)
		}
		if want == "110010" && got != `{"code":"110010","message":"应用请求频率超过限制","value":"","redirect":""}` {
			t.Errorf("got %s, want the document's words", got)
		}
	}
	c.pass(2 * time.Second)
	if got := r.meizu(meizuShow, meizuForm(meizuGood, "demo-secret", "a")); code(t, got) != "200" {
		t.Errorf("later: got %s, want 200", got)
	}
	if r.Count("meizu", "c") != 2 {
		t.Errorf("got c %d times, want twice", r.Count("meizu", "c"))
	}
}

func TestMeizuAnswersCodesOfFaults(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	if err := r.SetFaults([]Fault{{Vendor: "meizu", Endpoint: "send", Code: "1003", Times: 1}}); err != nil {
		t.Fatal(err)
	}
	want := `{"code":"1003","message":"服务器忙","value":"","redirect":""}`
	if got := r.meizu(meizuShow, meizuForm(meizuGood, "demo-secret", "a")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzMeizuSend(f *testing.F) {
	f.Add(meizuForm(meizuGood, "x", "a", "bad-1").Encode())
	f.Add("appId=1&pushIds=a,,b&messageJson={}&sign=")
	f.Add("appId=1;pushIds=%zz")
	f.Fuzz(func(t *testing.T, body string) {
		s := New(Options{AnyCredentials: true})
		w := record(s, post(meizuShow, []byte(body), map[string]string{"Content-Type": "application/x-www-form-urlencoded"}))
		form, err := url.ParseQuery(body)
		v := s.Report().Vendors["meizu"]
		if got := code(t, w.Body.String()); got == "200" && (err != nil || v.Accepted+v.Invalid != int64(len(strings.Split(form.Get("pushIds"), ",")))) {
			t.Errorf("accepted %q: %d accepted, %d not", body, v.Accepted, v.Invalid)
		}
	})
}
