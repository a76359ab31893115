package oppo

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
)

// postForm posts a form to OPPO.
func postForm(r *playtest.Rig, path string, form url.Values) playtest.Reply {
	r.T.Helper()
	return r.Must("POST", path, form.Encode(), map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
}

const (
	authPath         = "/server/v1/auth"
	notificationPath = "/server/v1/message/notification/"
)

func authForm(key, secret string, at time.Time) url.Values {
	timestamp := strconv.FormatInt(at.UnixMilli(), 10)
	return url.Values{"app_key": {key}, "timestamp": {timestamp}, "sign": {signature(key, timestamp, secret)}}
}

// accessToken asks for an access token of the demo app.
func accessToken(r *playtest.Rig) string {
	r.T.Helper()
	var a struct {
		Data struct {
			AuthToken string `json:"auth_token"`
		} `json:"data"`
	}
	got := postForm(r, authPath, authForm("100001", "demo-secret", r.Now()))
	if err := json.Unmarshal([]byte(got.Body), &a); err != nil || a.Data.AuthToken == "" {
		r.T.Fatalf("no access token in %d %s", got.Status, got.Body)
	}
	return a.Data.AuthToken
}

// answerCode is the code of an answer, which always comes with HTTP 200.
func answerCode(t *testing.T, got playtest.Reply) string {
	t.Helper()
	var a struct{ Code json.Number }
	if err := json.Unmarshal([]byte(got.Body), &a); err != nil || got.Status != 200 {
		t.Fatalf("got %d %s (%v), want 200 and JSON", got.Status, got.Body, err)
	}
	return a.Code.String()
}

// The vector is made by hand with sha256sum.
func TestOppoSign(t *testing.T) {
	t.Parallel()
	if got, want := signature("ak-demo", "1700000000000", "ms-demo"), "3ab85c42af2b8e8efd006912d32dbb7cfac32913649b249a0618c0fbf105974d"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOppoRefusesGrants(t *testing.T) {
	t.Parallel()
	clk := playtest.NewClock()
	tests := []struct {
		name   string
		change func(f url.Values)
		want   string
	}{
		{"a correct one", func(url.Values) {}, "0"},
		{"10 minutes late", func(f url.Values) {
			maps.Copy(f, authForm("100001", "demo-secret", clk.Now().Add(-10*time.Minute)))
		}, "0"},
		{"later than 10 minutes", func(f url.Values) {
			maps.Copy(f, authForm("100001", "demo-secret", clk.Now().Add(-10*time.Minute-time.Millisecond)))
		}, "19"},
		{"no app key", func(f url.Values) { f.Del("app_key") }, "15"},
		{"no timestamp", func(f url.Values) { f.Del("timestamp") }, "18"},
		{"no signature", func(f url.Values) { f.Del("sign") }, "17"},
		{"an unknown app key", func(f url.Values) { f.Set("app_key", "9") }, "14"},
		{"seconds", func(f url.Values) { f.Set("timestamp", strconv.FormatInt(clk.Now().Unix(), 10)) }, "19"},
		{"a signature in capitals", func(f url.Values) { f.Set("sign", strings.ToUpper(f.Get("sign"))) }, "16"},
		{"another secret", func(f url.Values) { maps.Copy(f, authForm("100001", "app-secret", clk.Now())) }, "16"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := playtest.New(t, play.Options{Now: clk.Now}, New(Options{}))
			form := authForm("100001", "demo-secret", clk.Now())
			tt.change(form)
			if got := answerCode(t, postForm(r, authPath, form)); got != tt.want {
				t.Errorf("got code %s, want %s", got, tt.want)
			}
			if want := int64(0); (r.Report().Violations() == want) != (tt.want == "0") {
				t.Errorf("got %d violations", r.Report().Violations())
			}
		})
	}
}

// messageJSON is a correct unicast whose notification has more members.
func messageJSON(more string) string {
	return `{"target_type":2,"target_value":"CN_a","notification":{"app_message_id":"1","title":"t","content":"b","click_action_type":0` + more + `}}`
}

func TestOppoChecksUnicasts(t *testing.T) {
	t.Parallel()
	han := func(n int) string { return strings.Repeat("汉", n) }
	tests := []struct {
		name, message, want string
	}{
		{"a correct one", messageJSON(``), "0"},
		{"nothing", ``, "40"},
		{"no JSON", `{`, "41"},
		{"a list", `[]`, "41"},
		{"no receiver", `{"target_type":2,"notification":{"title":"t","content":"b"}}`, "40"},
		{"no notification", `{"target_type":2,"target_value":"CN_a"}`, "40"},
		{"to all", strings.Replace(messageJSON(``), `"target_type":2`, `"target_type":1`, 1), "41"},
		{"two receivers", strings.Replace(messageJSON(``), `CN_a`, `CN_a;CN_b`, 1), "41"},
		{"no title", strings.Replace(messageJSON(``), `"title":"t",`, ``, 1), "40"},
		{"no content", strings.Replace(messageJSON(``), `"content":"b",`, ``, 1), "40"},
		{"a title that is a number", strings.Replace(messageJSON(``), `"title":"t"`, `"title":1`, 1), "41"},
		{"a title of 51", strings.Replace(messageJSON(``), `"title":"t"`, `"title":"`+han(51)+`"`, 1), "41"},
		{"a content of 51", strings.Replace(messageJSON(``), `"content":"b"`, `"content":"`+han(51)+`"`, 1), "41"},
		{"a content of 128 in style 2", strings.Replace(messageJSON(`,"style":2`), `"content":"b"`, `"content":"`+han(128)+`"`, 1), "0"},
		{"a content of 129 in style 2", strings.Replace(messageJSON(`,"style":2`), `"content":"b"`, `"content":"`+han(129)+`"`, 1), "41"},
		{"a click action that does not exist", strings.Replace(messageJSON(``), `_type":0`, `_type":3`, 1), "41"},
		{"a URL to open is missing", strings.Replace(messageJSON(``), `_type":0`, `_type":2`, 1), "40"},
		{"an activity is missing", strings.Replace(messageJSON(``), `_type":0`, `_type":4`, 1), "40"},
		{"parameters that are an object", messageJSON(`,"action_parameters":{"k":"v"}`), "41"},
		{"parameters that are no JSON", messageJSON(`,"action_parameters":"k=v"`), "41"},
		{"parameters", messageJSON(`,"action_parameters":"{\"k\":\"v\"}"`), "0"},
		{"a category", messageJSON(`,"category":"ORDER","notify_level":16`), "0"},
		{"an unknown category", messageJSON(`,"category":"VOIP"`), "67"},
		{"a level without category", messageJSON(`,"notify_level":2`), "67"},
		{"a level that does not exist", messageJSON(`,"category":"IM","notify_level":3`), "67"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := playtest.New(t, play.Options{}, New(Options{}))
			got := answerCode(t, postForm(r, notificationPath+"unicast", url.Values{"auth_token": {accessToken(r)}, "message": {tt.message}}))
			if got != tt.want {
				t.Errorf("got code %s, want %s", got, tt.want)
			}
			if n := r.Report().Violations(); (n == 0) != (tt.want == "0") {
				t.Errorf("got %d violations: %v", n, r.Report().Vendors["oppo"].Violations)
			}
			if n := r.Count("oppo", "CN_a"); (n == 1) != (tt.want == "0") {
				t.Errorf("got %d deliveries", n)
			}
		})
	}
}

func TestOppoForgivesButReports(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		message string
		more    url.Values
		want    string
	}{
		{"a field that is not the vendor's", messageJSON(`,"prio":1`), nil, "message.notification.prio: is not one of the vendor's fields"},
		{"a field in camel case", messageJSON(`,"clickActionType":1`), nil, "message.notification.clickActionType: is not one of the vendor's fields"},
		{"a ttl over ten days", messageJSON(`,"off_line_ttl":864001`), nil, "message.notification.off_line_ttl: is not a whole number from 0 to 864000"},
		{"a member beside the notification", strings.Replace(messageJSON(``), `{"target_type"`, `{"to":"x","target_type"`, 1), nil, "message.to: is not one of the vendor's fields"},
		{"a form field", messageJSON(``), url.Values{"messages": {"[]"}}, "messages: is not one of the vendor's fields"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := playtest.New(t, play.Options{}, New(Options{}))
			form := url.Values{"auth_token": {accessToken(r)}, "message": {tt.message}}
			maps.Copy(form, tt.more)
			if got := answerCode(t, postForm(r, notificationPath+"unicast", form)); got != "0" {
				t.Errorf("got code %s, want success", got)
			}
			want := []play.Violation{{Vendor: "oppo", Endpoint: "unicast", What: tt.want}}
			if got := r.Report().Vendors["oppo"].Violations; !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestOppoChecksCallers(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{Credentials: map[string][]play.Credential{"oppo": {{App: "100001", Secret: "demo-secret"}, {App: "2", Secret: "s", Lacks: []string{play.RightPush}}}}}, New(Options{}))
	token := accessToken(r)
	send := func(token string) url.Values {
		f := url.Values{"message": {messageJSON(``)}}
		if token != "" {
			f.Set("auth_token", token)
		}
		return f
	}
	const formType = "application/x-www-form-urlencoded"
	tests := []struct {
		name, method, contentType string
		header                    map[string]string
		form                      url.Values
		want                      string
		violations                int64
	}{
		{"a token in the form", "POST", formType, nil, send(token), "0", 0},
		{"a token in a header, as older documents have it", "POST", formType, map[string]string{"auth_token": token}, send(""), "0", 0},
		{"no token", "POST", formType, nil, send(""), "29", 1},
		{"a token nobody issued", "POST", formType, nil, send("x"), "11", 1},
		{"GET", "GET", formType, nil, send(token), "12", 1},
		{"JSON", "POST", "application/json", nil, send(token), "25", 1},
		{"another charset", "POST", formType + "; charset=GBK", nil, send(token), "25", 1},
	}
	for _, tt := range tests {
		r.Reset()
		header := map[string]string{"Content-Type": tt.contentType}
		maps.Copy(header, tt.header)
		got := answerCode(t, r.Must(tt.method, notificationPath+"unicast", tt.form.Encode(), header))
		if n := r.Report().Violations(); got != tt.want || n != tt.violations {
			t.Errorf("%s: got code %s and %d violations, want %s and %d", tt.name, got, n, tt.want, tt.violations)
		}
	}
}

func TestOppoBatchesHaveUpToAThousandMessages(t *testing.T) {
	t.Parallel()
	batch := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = strings.Replace(messageJSON(``), "CN_a", fmt.Sprintf("CN_%d", i), 1)
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	for messages, want := range map[string]string{batch(1): "0", batch(1000): "0", batch(1001): "41", batch(0): "41", `{}`: "41", `[1]`: "41", `[null]`: "41", ``: "40"} {
		r := playtest.New(t, play.Options{}, New(Options{}))
		got := answerCode(t, postForm(r, notificationPath+"unicast_batch", url.Values{"auth_token": {accessToken(r)}, "messages": {messages}}))
		if n := r.Report().Violations(); got != want || (n == 0) != (want == "0") {
			t.Errorf("%.20q of %d bytes: got code %s and %d violations, want %s", messages, len(messages), got, n, want)
		}
	}
}

func TestOppoBroadcastsWhatWasSaved(t *testing.T) {
	t.Parallel()
	save := url.Values{"title": {"t"}, "content": {"42"}, "click_action_type": {"0"}, "off_line": {"true"}, "off_line_ttl": {"3600"}, "category": {"NEWS"}, "fix_speed": {"true"}, "fix_speed_rate": {"1000"}}
	tests := []struct {
		name      string
		save      url.Values // changes
		broadcast url.Values // changes
		saved     string
		want      string
	}{
		{"a correct one", nil, nil, "0", "0"},
		{"no title", url.Values{"title": {""}}, nil, "40", ""},
		{"a value that is not a number", url.Values{"off_line_ttl": {"1h"}}, nil, "41", ""},
		{"a speed that is too high", url.Values{"fix_speed_rate": {"10001"}}, nil, "41", ""},
		{"an unknown message", nil, url.Values{"message_id": {"58ad"}}, "0", "31"},
		{"no message", nil, url.Values{"message_id": {""}}, "0", "40"},
		{"no kind of receivers", nil, url.Values{"target_type": {""}}, "0", "40"},
		{"everybody", nil, url.Values{"target_type": {"1"}}, "0", "41"},
		{"nobody", nil, url.Values{"target_value": {""}}, "0", "40"},
		{"commas", nil, url.Values{"target_value": {"CN_a,CN_b"}}, "0", "41"},
		{"an empty receiver", nil, url.Values{"target_value": {"CN_a;"}}, "0", "41"},
		{"too many", nil, url.Values{"target_value": {strings.Repeat("CN_a;", 1000) + "b"}}, "0", "41"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := playtest.New(t, play.Options{}, New(Options{}))
			form := url.Values{"auth_token": {accessToken(r)}}
			maps.Copy(form, save)
			maps.Copy(form, tt.save)
			got := postForm(r, notificationPath+"save_message_content", form)
			if code := answerCode(t, got); code != tt.saved {
				t.Fatalf("saving: got code %s, want %s", code, tt.saved)
			}
			if tt.saved != "0" {
				return
			}
			var a struct {
				Data struct {
					ID string `json:"message_id"`
				} `json:"data"`
			}
			if err := json.Unmarshal([]byte(got.Body), &a); err != nil || len(a.Data.ID) != 24 {
				t.Fatalf("got %s, want a message_id of 24 characters", got.Body)
			}
			send := url.Values{"auth_token": form["auth_token"], "message_id": {a.Data.ID}, "target_type": {"2"}, "target_value": {"CN_a;CN_b"}}
			maps.Copy(send, tt.broadcast)
			if code := answerCode(t, postForm(r, notificationPath+"broadcast", send)); code != tt.want {
				t.Errorf("got code %s, want %s", code, tt.want)
			}
		})
	}
}

func TestOppoReportsServiceMessagesThatAreBroadcast(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{}, New(Options{}))
	form := url.Values{"auth_token": {accessToken(r)}, "title": {"t"}, "content": {"b"}, "category": {"ORDER"}}
	if code := answerCode(t, postForm(r, notificationPath+"save_message_content", form)); code != "0" {
		t.Errorf("got code %s, want success", code)
	}
	r.WantViolations(1)
}

func TestOppoReturnsInvalidIDsOnce(t *testing.T) {
	t.Parallel()
	ids := make([]string, 501)
	for i := range ids {
		ids[i] = fmt.Sprintf("CN_%d", i)
	}
	r := playtest.New(t, play.Options{}, New(Options{InvalidIDs: ids}))
	token := accessToken(r)
	for i, want := range []int{500, 1, 0} {
		got := r.Must("GET", "/server/v1/feedback/fetch_invalid_regidList?auth_token="+token, "", nil)
		var a struct {
			Data struct {
				IDs []string `json:"registration_ids"`
			} `json:"data"`
		}
		if err := json.Unmarshal([]byte(got.Body), &a); err != nil || len(a.Data.IDs) != want {
			t.Errorf("call %d: got %.60s (%v), want %d ids", i+1, got.Body, err, want)
		}
	}
	got := r.Must("GET", "/server/v1/feedback/fetch_push_permit", "", map[string]string{"auth_token": token})
	if want := `{"code":0,"message":"success","data":{"push_count":0,"remain_count":100000,"total_count":100000}}`; got.Body != want {
		t.Errorf("got %s, want %s", got.Body, want)
	}
	r.WantViolations(0)
}

func TestOppoFaultsComeInItsForm(t *testing.T) {
	t.Parallel()
	r := playtest.New(t, play.Options{AnyCredentials: true}, New(Options{}))
	for code, want := range map[string]string{
		"-2": `{"code":-2,"message":"Service in Flow Control"}`, "10000": `{"code":10000,"message":"Invalid Registration_id"}`, "77": `{"code":77,"message":"Code 77"}`,
	} {
		if err := r.SetFaults([]play.Fault{{Vendor: "oppo", Code: code}}); err != nil {
			t.Fatal(err)
		}
		if got := postForm(r, notificationPath+"broadcast", nil); got.Body != want {
			t.Errorf("got %s, want %s", got.Body, want)
		}
	}
}

func FuzzOppoBatch(f *testing.F) {
	f.Add("[" + messageJSON(``) + "]")
	f.Add("[" + messageJSON(`,"style":2`) + "," + messageJSON(``) + ",1]")
	f.Add(`[{"target_type":2,"target_value":"bad-1","notification":null}]`)
	f.Fuzz(func(t *testing.T, messages string) {
		s := play.NewServer(play.Options{AnyCredentials: true}, New(Options{}))
		form := url.Values{"auth_token": {"x"}, "messages": {messages}}
		w := playtest.Record(s, playtest.Post(notificationPath+"unicast_batch", []byte(form.Encode()), map[string]string{"Content-Type": "application/x-www-form-urlencoded"}))
		var a struct{ Code int }
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
			t.Fatalf("%q: %v", w.Body, err)
		}
		var list []json.RawMessage
		v := s.Report().Vendors["oppo"]
		if a.Code == 0 && (json.Unmarshal([]byte(messages), &list) != nil || v.Accepted+v.Invalid > int64(len(list))) {
			t.Errorf("accepted %d and refused %d in %q", v.Accepted, v.Invalid, messages)
		}
	})
}
