package xiaomi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const testKey = "0123456789abcdef0123456789abcdef"

func request(m *push.Message, tokens ...string) *vendors.Request {
	return &vendors.Request{Message: m, Tokens: tokens, TTL: time.Hour, Key: testKey}
}

func TestTTLIsMillisecondsUpToTheChannelsLimit(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	plain, private, public := &push.Message{}, &push.Message{Channel: "1"}, &push.Message{Channel: "1", Class: push.Marketing}
	tests := []struct {
		name string
		m    *push.Message
		d    time.Duration
		want string
	}{
		{"under a second is a second", plain, time.Nanosecond, "1000"},
		{"a part of a second counts", plain, 1500 * time.Millisecond, "1500"},
		{"a day", plain, day, "86400000"},
		{"over a day without a channel", plain, 2 * day, "86400000"},
		{"over a day for marketing", public, 2 * day, "86400000"},
		{"over a day for a service channel", private, 2 * day, "172800000"},
		{"over ten days", private, 11 * day, "864000000"},
	}
	for _, tt := range tests {
		if got := ttl(tt.m, tt.d); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestNotifyIDAndJobKeyAreTheSameOnEveryRetry(t *testing.T) {
	t.Parallel()
	plain, collapsing := &push.Message{}, &push.Message{CollapseID: "order-42"}
	first, again, other := notifyID(plain, "a"), notifyID(plain, "a"), notifyID(plain, "b")
	if first != again || first == other {
		t.Error("without a collapse id, want a different notify id for each key")
	}
	if notifyID(collapsing, "a") != notifyID(collapsing, "b") {
		t.Error("with a collapse id, want one notify id for all keys")
	}
	jobKeyForm := regexp.MustCompile(`^[0-9A-Za-z-][0-9A-Za-z_-]{0,11}$`)
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[0-9a-f]{32}`).Draw(t, "key")
		job := jobKey(key)
		if job != jobKey(key) || len(job) != 8 || !jobKeyForm.MatchString(job) {
			t.Fatalf("got jobkey %q, want 8 letters and digits", job)
		}
		if id := notifyID(plain, key); !numberForm.MatchString(id) || id == "0" || len(id) > 10 {
			t.Fatalf("got notify id %s, want 1 to 2147483647", id)
		}
	})
}

func TestJobKeysOfDifferentMessagesDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for i := range 10000 {
		seen[jobKey(fmt.Sprintf("%032x", i))] = true
	}
	if len(seen) != 10000 {
		t.Errorf("got %d jobkeys for 10,000 messages", len(seen))
	}
}

func TestClicks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		click *push.Click
		want  []field
	}{
		{"none opens the app", nil, []field{{"extra.notify_effect", "1"}}},
		{"app", &push.Click{Action: push.ClickApp}, []field{{"extra.notify_effect", "1"}}},
		{"activity", &push.Click{Action: push.ClickActivity, Target: ".A"}, []field{{"extra.notify_effect", "2"}, {"extra.intent_uri", "intent:#Intent;component=com.x/.A;end"}}},
		{"intent", &push.Click{Action: push.ClickIntent, Target: "i"}, []field{{"extra.notify_effect", "2"}, {"extra.intent_uri", "i"}}},
		{"url", &push.Click{Action: push.ClickURL, Target: "https://a"}, []field{{"extra.notify_effect", "3"}, {"extra.web_uri", "https://a"}}},
	}
	for _, tt := range tests {
		if got := click(tt.click, "com.x"); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Any fields and tokens can be read unchanged from the form.
func TestFieldsAndTokensSurviveTheForm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SliceOfN(rapid.StringMatching(`[^,]+`), 1, 20).Draw(t, "tokens")
		list := []field{{"title", rapid.String().Draw(t, "title")}, {"extra.k", rapid.String().Draw(t, "extra")}}
		form, err := url.ParseQuery(string(formBody(list, tokens)))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Split(form.Get("registration_id"), ","); !slices.Equal(got, tokens) {
			t.Fatalf("got %q, want %q", got, tokens)
		}
		for _, f := range list {
			if got := form.Get(f.name); got != f.value {
				t.Fatalf("got %s %q, want %q", f.name, got, f.value)
			}
		}
	})
}

// sendMixed sends the requests to a test server, and returns the answer and the HTTP request.
func sendMixed(t *testing.T, answer string, rs ...*vendors.Request) (vendors.Answer, *http.Request, url.Values) {
	t.Helper()
	var last *http.Request
	var form url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			form, err = url.ParseQuery(string(body))
		}
		if err != nil {
			t.Error(err)
		}
		last = r
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	client := httpx.NewClient(1)
	defer client.CloseIdleConnections()
	s := Settings{AppSecret: vendors.NewSecret("CXHodE6CbA+PKG1lEMgzvQ=="), PackageName: "com.example.shop", BaseURL: server.URL}
	got, err := s.Open(client).(vendors.MixedSender).SendMixed(t.Context(), rs)
	if err != nil {
		t.Fatal(err)
	}
	return got, last, form
}

func TestSendMixedGivesEveryTokenItsMessage(t *testing.T) {
	t.Parallel()
	first := request(&push.Message{Title: "one", Body: `b "1"`, Channel: "a", Overrides: map[string]json.RawMessage{Name: json.RawMessage(`{"notify_type":"02","extra.callback":"https://r"}`)}}, "t/1+=", `t"2`)
	second := request(&push.Message{Kind: push.Data, Data: map[string]string{"k": "v&"}}, "t3")
	second.Key, second.TTL = "f"+testKey[1:], time.Minute
	got, r, form := sendMixed(t, `{"result":"ok","code":0,"trace_id":"X1","data":{"id":"s1","bad_regids":"t3","channel_exceed_quota":"a:2"}}`, first, second)
	if r.Method != http.MethodPost || r.URL.Path != "/v2/multi_messages/regids" || r.Header.Get("Authorization") != "key=CXHodE6CbA+PKG1lEMgzvQ==" || r.Header.Get("Content-Type") != formType {
		t.Errorf("got %s %s with %v", r.Method, r.URL.Path, r.Header)
	}
	want, err := os.ReadFile("testdata/many.json")
	if err != nil {
		t.Fatal(err)
	}
	if form.Get("messages") != strings.TrimSpace(string(want)) || form.Get("time_to_send") != "0" || len(form) != 2 {
		t.Errorf("got\n%s\nwith %d fields, want\n%s", form.Get("messages"), len(form), want)
	}
	var codes []string
	for _, tc := range got.Tokens {
		codes = append(codes, fmt.Sprint(tc.Index, " ", tc.Code))
	}
	if want := []string{"0 token/channel_exceed_quota", "1 token/channel_exceed_quota", "2 token/bad_regids"}; !slices.Equal(codes, want) || got.RequestID != "s1" {
		t.Errorf("got %q with id %s, want %q", codes, got.RequestID, want)
	}
}

func TestSendMixedWithOneTokenReadsTheCodeOfOneToken(t *testing.T) {
	t.Parallel()
	answer := `{"result":"error","reason":"regId","code":66007}`
	m := &push.Message{Title: "t", Body: "b"}
	if got, _, _ := sendMixed(t, answer, request(m, "a")); got.Code.Code != "66007/one" {
		t.Errorf("one token: got %s, want 66007/one", got.Code)
	}
	if got, _, _ := sendMixed(t, answer, request(m, "a"), request(m, "b")); got.Code.Code != "66007" {
		t.Errorf("two tokens: got %s, want 66007", got.Code)
	}
}

func TestSendThatCannotBeMergedMakesNoRequest(t *testing.T) {
	t.Parallel()
	s := Settings{AppSecret: vendors.NewSecret("s"), PackageName: "p", BaseURL: "http://127.0.0.1:1"}
	r := request(&push.Message{Overrides: map[string]json.RawMessage{Name: json.RawMessage(`{"registration_id":"x"}`)}}, "a")
	v := s.Open(nil)
	_, one := v.Send(t.Context(), r)
	_, more := v.(vendors.MixedSender).SendMixed(t.Context(), []*vendors.Request{r})
	for _, err := range []error{one, more} {
		if err == nil || !strings.Contains(err.Error(), "send: transport/dial: merge overrides") {
			t.Errorf("got %v, want a refusal before any request", err)
		}
	}
}

// Not parallel: the allocations of other tests would be counted too.
func TestAllocationsDoNotGrowWithTheTokens(t *testing.T) {
	m := &push.Message{Title: "t", Body: "b", Data: map[string]string{"k": "v"}}
	a := &adapter{packageName: "com.example.shop"}
	vendortest.ConstantAllocations(t, 1, 1000, 80, "%0130d+/=", func(tokens []string) func() {
		r := request(m, tokens...)
		ok := httpx.Reply{Status: 200, Body: []byte(`{"result":"ok","trace_id":"X1","code":0,"data":{"id":"s1"},"description":"成功"}`)}
		return func() {
			list, err := a.fields(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = formBody(list, tokens)
			if _, err := readAnswer(ok, sentTo(tokens...), "secret"); err != nil {
				t.Fatal(err)
			}
		}
	})
}
