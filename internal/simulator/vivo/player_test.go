package vivo

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

// The vector is the document's own.
func TestVivoSign(t *testing.T) {
	t.Parallel()
	got := signature("10004", "25509283-3767-4b9e-83fe-b6e55ac6243e", "1501484120000", "7265f2a4-ebbb-44bf-88b9-b03e67dfdc21")
	if want := "fe3b46a2befc60334c2388676a752bd6"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func authBody(id, key, secret string, at time.Time) string {
	timestamp := strconv.FormatInt(at.UnixMilli(), 10)
	return fmt.Sprintf(`{"appId":%s,"appKey":"%s","timestamp":%s,"sign":"%s"}`, id, key, timestamp, signature(id, key, timestamp, secret))
}

func postJSON(r *playtest.Rig, path, token, body string) playtest.Reply {
	r.T.Helper()
	return r.Must("POST", "/message/"+path, body, map[string]string{"Content-Type": "application/json", "authToken": token})
}

// accessToken asks for an access token of the demo app.
func accessToken(r *playtest.Rig) string {
	r.T.Helper()
	got := postJSON(r, "auth", "", authBody("100001", "100001", "demo-secret", r.Now()))
	var a struct{ AuthToken string }
	if err := json.Unmarshal([]byte(got.Body), &a); err != nil || a.AuthToken == "" {
		r.T.Fatalf("no access token in %d %s", got.Status, got.Body)
	}
	return a.AuthToken
}

func resultOf(t *testing.T, got playtest.Reply) string {
	t.Helper()
	var a struct{ Result json.Number }
	if err := json.Unmarshal([]byte(got.Body), &a); err != nil || got.Status != 200 {
		t.Fatalf("got %d %s (%v), want 200 and JSON", got.Status, got.Body, err)
	}
	return a.Result.String()
}

func TestVivoRefusesGrants(t *testing.T) {
	t.Parallel()
	clk := playtest.NewClock()
	right := authBody("100001", "100001", "demo-secret", clk.Now())
	cut := func(name string) string {
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(right), &m); err != nil {
			t.Fatal(err)
		}
		delete(m, name)
		b, _ := json.Marshal(m) // it was JSON before
		return string(b)
	}
	tests := []struct {
		name, body, want string
		violations       int64
	}{
		{"a correct one", right, "0", 0},
		{"an id as a string", strings.Replace(right, `:100001,`, `:"100001",`, 1), "0", 1},
		{"a member too many", strings.Replace(right, `{`, `{"x":1,`, 1), "0", 1},
		{"10 minutes early", authBody("100001", "100001", "demo-secret", clk.Now().Add(10*time.Minute)), "0", 0},
		{"11 minutes early", authBody("100001", "100001", "demo-secret", clk.Now().Add(11*time.Minute)), "10207", 1},
		{"no id", cut("appId"), "10200", 1},
		{"no key", cut("appKey"), "10201", 1},
		{"no timestamp", cut("timestamp"), "10203", 1},
		{"no signature", cut("sign"), "10204", 1},
		{"an unknown id", authBody("9", "100001", "demo-secret", clk.Now()), "10205", 1},
		{"another key", authBody("100001", "9", "demo-secret", clk.Now()), "10202", 1},
		{"another secret", authBody("100001", "100001", "s", clk.Now()), "10206", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := playtest.New(t, play.Options{Now: clk.Now}, New(Options{}))
			if got := resultOf(t, postJSON(r, "auth", "", tt.body)); got != tt.want {
				t.Errorf("got result %s, want %s", got, tt.want)
			}
			r.WantViolations(tt.violations)
		})
	}
	r := playtest.New(t, play.Options{}, New(Options{}))
	if got := postJSON(r, "auth", "", "{"); got.Status != 500 || got.Body != "Internet server error!" {
		t.Errorf("no JSON: got %d %s, want the document's 500", got.Status, got.Body)
	}
}

// messageBody is a correct send whose members can be changed.
func messageBody(change map[string]any) string {
	m := map[string]any{
		"appId": 100001, "regId": "15985112220221500102621", "requestId": "r1", "notifyType": 4, "title": "t", "content": "b",
		"timeToLive": 86400, "skipType": 1, "classification": 1, "notifyId": 7, "pushMode": 0,
	}
	for k, v := range change {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	b, _ := json.Marshal(m) // strings and numbers always marshal
	return string(b)
}

func TestVivoChecksMessages(t *testing.T) {
	t.Parallel()
	type set = map[string]any
	han := func(n int) string { return strings.Repeat("汉", n) }
	pairs := func(n int) set {
		m := set{}
		for i := range n {
			m[strconv.Itoa(i)] = "v"
		}
		return m
	}
	tests := []struct {
		name   string
		change set
		send   string
		save   string
	}{
		{"a correct one", nil, "0", "0"},
		{"no receiver", set{"regId": ""}, "10050", "0"},
		{"no requestId", set{"requestId": nil}, "10352", "10352"},
		{"a requestId of 65", set{"requestId": strings.Repeat("r", 65)}, "10353", "10353"},
		{"no notifyType", set{"notifyType": nil}, "10054", "10054"},
		{"notifyType 5", set{"notifyType": 5}, "10054", "10054"},
		{"no title", set{"title": nil}, "10055", "10055"},
		{"a title of 40 Chinese characters", set{"title": han(40)}, "0", "0"},
		{"a title of 41", set{"title": han(41)}, "10056", "10056"},
		{"no content", set{"content": ""}, "10057", "10057"},
		{"a content of 101", set{"content": han(101)}, "10058", "10058"},
		{"timeToLive 60", set{"timeToLive": 60}, "0", "10059"},
		{"timeToLive 59", set{"timeToLive": 59}, "10059", "10059"},
		{"timeToLive 604800", set{"timeToLive": 604800}, "10059", "0"},
		{"timeToLive 604801", set{"timeToLive": 604801}, "10059", "10059"},
		{"skipType 5", set{"skipType": 5}, "10060", "10060"},
		{"skipType 2 without content", set{"skipType": 2}, "10061", "10061"},
		{"skipType 2 with 1,001", set{"skipType": 2, "skipContent": han(1001)}, "10062", "10062"},
		{"skipType 3 without content", set{"skipType": 3}, "10063", "10063"},
		{"skipType 3 with 1,025", set{"skipType": 3, "skipContent": han(1025)}, "10064", "10064"},
		{"skipType 4 without content", set{"skipType": 4}, "10068", "10068"},
		{"skipType 4 with 1,025", set{"skipType": 4, "skipContent": han(1025)}, "10069", "10069"},
		{"networkType 2", set{"networkType": 2}, "10065", "10065"},
		{"ten pairs", set{"clientCustomMap": pairs(10)}, "0", "0"},
		{"eleven pairs", set{"clientCustomMap": pairs(11)}, "10066", "10066"},
		{"a pair with a number", set{"clientCustomMap": set{"k": 1}}, "10067", "10067"},
		{"a category", set{"category": "ORDER"}, "0", "0"},
		{"a category in small letters", set{"category": "order"}, "10096", "10096"},
		{"a category of the other class", set{"category": "NEWS"}, "10097", "10097"},
		{"notifyId 0", set{"notifyId": 0}, "10095", "10095"},
		{"extra that is not known", set{"extra": set{"x": "y"}}, "10304", "10304"},
		{"a profileId of 65", set{"profileId": strings.Repeat("p", 65)}, "10092", "10092"},
		{"another app's id", set{"appId": 9}, "10094", "10094"},
		{"no app's id", set{"appId": nil}, "10094", "10094"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := playtest.New(t, play.Options{}, New(Options{}))
			token := accessToken(r)
			if got := resultOf(t, postJSON(r, "send", token, messageBody(tt.change))); got != tt.send {
				t.Errorf("send: got result %s, want %s", got, tt.send)
			}
			change := map[string]any{}
			maps.Copy(change, tt.change)
			change["regId"] = nil
			if got := resultOf(t, postJSON(r, "saveListPayload", token, messageBody(change))); got != tt.save {
				t.Errorf("saveListPayload: got result %s, want %s", got, tt.save)
			}
			want := int64(0)
			for _, code := range []string{tt.send, tt.save} {
				if code != "0" {
					want++
				}
			}
			if got := r.Report().Violations(); got < want || (want == 0) != (got == 0) {
				t.Errorf("got %d violations, want %d: %v", got, want, r.Report().Vendors["vivo"].Violations)
			}
		})
	}
}

func TestVivoListsNeedTwoToAThousandAndAMessage(t *testing.T) {
	t.Parallel()
	ids := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf("v2-%d", i)
		}
		b, _ := json.Marshal(list) // strings always marshal
		return string(b)
	}
	const rest = `,"taskId":"%TASK%","requestId":"r2","pushMode":0}`
	tests := []struct {
		name, body, want string
		violations       int64
	}{
		{"two", `{"appId":100001,"regIds":` + ids(2) + rest, "0", 0},
		{"a thousand", `{"appId":100001,"regIds":` + ids(1000) + rest, "0", 0},
		{"one", `{"appId":100001,"regIds":` + ids(1) + rest, "10153", 1},
		{"a thousand and one", `{"appId":100001,"regIds":` + ids(1001) + rest, "10153", 1},
		{"none", `{"appId":100001` + rest, "10150", 1},
		{"no task", strings.Replace(`{"appId":100001,"regIds":`+ids(2)+rest, `%TASK%`, ``, 1), "10151", 1},
		{"an unknown task", strings.Replace(`{"appId":100001,"regIds":`+ids(2)+rest, `%TASK%`, `5`, 1), "10152", 0},
		{"no requestId", strings.Replace(`{"appId":100001,"regIds":`+ids(2)+rest, `"r2"`, `""`, 1), "10352", 1},
		{"numbers", `{"appId":100001,"regIds":[1,2]` + rest, "10102", 2},
		{"the same twice", `{"appId":100001,"regIds":["a","b","a"]` + rest, "0", 1},
		{"another mode than was saved", strings.Replace(`{"appId":100001,"regIds":["test-1","test-2"]`+rest, `Mode":0`, `Mode":1`, 1), "0", 1},
		{"a field that is not the vendor's", strings.Replace(`{"appId":100001,"regIds":["a","b"]`+rest, `{`, `{"title":"t",`, 1), "0", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := playtest.New(t, play.Options{}, New(Options{}))
			token := accessToken(r)
			var a struct{ TaskID string }
			got := postJSON(r, "saveListPayload", token, messageBody(map[string]any{"regId": nil}))
			if err := json.Unmarshal([]byte(got.Body), &a); err != nil || a.TaskID == "" {
				t.Fatalf("got %s, want a taskId", got.Body)
			}
			if got := resultOf(t, postJSON(r, "pushToList", token, strings.Replace(tt.body, "%TASK%", a.TaskID, 1))); got != tt.want {
				t.Errorf("got result %s, want %s", got, tt.want)
			}
			r.WantViolations(tt.violations)
		})
	}
}

func TestVivoChecksCallers(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{Credentials: map[string][]play.Credential{"vivo": {
		{App: "100001", Secret: "demo-secret"}, {App: "2", Client: "k2", Secret: "s", Lacks: []string{play.RightPush}}, {App: "3", Client: "k3", Secret: "s", Lacks: []string{RightSystem}},
	}}}, New(Options{}))
	token := accessToken(r)
	other := map[string]string{}
	for _, id := range []string{"2", "3"} {
		var a struct{ AuthToken string }
		got := postJSON(r, "auth", "", authBody(id, "k"+id, "s", time.Now()))
		if err := json.Unmarshal([]byte(got.Body), &a); err != nil {
			t.Fatal(err)
		}
		other[id] = a.AuthToken
	}
	right := messageBody(nil)
	tests := []struct {
		name, token, body, want string
		violations              int64
	}{
		{"a correct one", token, right, "0", 0},
		{"no token", "", right, "10000", 1},
		{"a token nobody issued", "x", right, "10000", 1},
		{"another app's token", other["3"], right, "10094", 1},
		{"an app under review", other["2"], messageBody(map[string]any{"appId": 2}), "10045", 0},
		{"system messages are not opened", other["3"], messageBody(map[string]any{"appId": 3}), "10082", 0},
		{"operational ones are", other["3"], messageBody(map[string]any{"appId": 3, "classification": 0}), "0", 0},
	}
	for _, tt := range tests {
		r.Reset()
		got := resultOf(t, postJSON(r, "send", tt.token, tt.body))
		if n := r.Report().Violations(); got != tt.want || n != tt.violations {
			t.Errorf("%s: got result %s and %d violations, want %s and %d", tt.name, got, n, tt.want, tt.violations)
		}
	}
	if got := r.Must("GET", "/message/send", "", nil); got.Status != 405 {
		t.Errorf("GET: got %d, want 405", got.Status)
	}
	if got := r.Must("POST", "/message/send", right, map[string]string{"Content-Type": "text/plain", "authToken": token}); got.Status != 415 {
		t.Errorf("text: got %d, want 415", got.Status)
	}
}

func TestVivoReportsARequestIDForTwoRequests(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{}, New(Options{}))
	token := accessToken(r)
	for _, change := range []map[string]any{nil, {"timeToLive": 60}, {"regId": "another"}} {
		if got := resultOf(t, postJSON(r, "send", token, messageBody(change))); got != "0" {
			t.Errorf("got result %s, want 0", got)
		}
	}
	want := []play.Violation{{Vendor: "vivo", Endpoint: "send", What: "requestId: was used for another request"}}
	if got := r.Report().Vendors["vivo"].Violations; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := r.Report().Vendors["vivo"].Accepted; got != 1 {
		t.Errorf("got %d deliveries, want 1", got)
	}
}

func TestVivoFaultsComeInItsForm(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{AnyCredentials: true}, New(Options{}))
	for code, want := range map[string]string{
		"10072": `{"result":10072,"desc":"推送速度过，请稍后再试"}`, "19999": `{"result":19999,"desc":"Code 19999"}`,
	} {
		if err := r.SetFaults([]play.Fault{{Vendor: "vivo", Code: code}}); err != nil {
			t.Fatal(err)
		}
		if got := postJSON(r, "send", "x", "{}"); got.Body != want {
			t.Errorf("got %s, want %s", got.Body, want)
		}
	}
}

func FuzzVivoSend(f *testing.F) {
	f.Add("send", messageBody(nil))
	f.Add("saveListPayload", messageBody(map[string]any{"regId": nil}))
	f.Add("pushToList", `{"appId":1,"regIds":["a","b"],"taskId":"5","requestId":"r"}`)
	f.Fuzz(func(t *testing.T, path, body string) {
		if !slices.Contains([]string{"auth", "send", "saveListPayload", "pushToList"}, path) {
			return
		}
		s := play.NewServer(play.Options{AnyCredentials: true}, New(Options{}))
		w := playtest.Record(s, playtest.Post("/message/"+path, []byte(body), map[string]string{"Content-Type": "application/json", "authToken": "x"}))
		var a struct{ Result *int }
		if err := json.Unmarshal(w.Body.Bytes(), &a); w.Code == 200 && (err != nil || a.Result == nil) {
			t.Fatalf("%q: %v", w.Body, err)
		}
		if w.Code == 200 && *a.Result == 0 && !json.Valid([]byte(body)) {
			t.Errorf("accepted %q", body)
		}
	})
}
