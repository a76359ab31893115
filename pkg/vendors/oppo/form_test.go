package oppo

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/body"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const testKey = "0123456789abcdef0123456789abcdef"

func request(m *push.Message, tokens ...string) *vendors.Request {
	return &vendors.Request{Message: m, Tokens: tokens, TTL: time.Hour, Key: testKey, Access: "access"}
}

// target is an element of messages, as in the document.
type target struct {
	Type         int    `json:"target_type"`
	Value        string `json:"target_value"`
	Notification struct {
		Title        string `json:"title"`
		AppMessageID string `json:"app_message_id"`
	} `json:"notification"`
}

func targetsOf(t interface{ Fatalf(string, ...any) }, body []byte) []target {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Fatalf("%s is not a form: %v", body, err)
	}
	text := form.Get("messages")
	if text == "" {
		text = "[" + form.Get("message") + "]"
	}
	var list []target
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%s is not JSON: %v", text, err)
	}
	return list
}

// Any tokens and texts can be read unchanged from the form.
func TestTokensAndTextsSurviveTheForm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SliceOfN(rapid.String(), 1, 20).Draw(t, "tokens")
		r := request(&push.Message{Title: rapid.String().Draw(t, "title"), Body: "b"}, tokens...)
		body, err := batchBody([]*vendors.Request{r})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, target := range targetsOf(t, body) {
			got = append(got, target.Value)
			if target.Notification.Title != r.Message.Title || target.Type != 2 {
				t.Fatalf("got %+v, want title %q and type 2", target, r.Message.Title)
			}
		}
		if !slices.Equal(got, tokens) {
			t.Fatalf("got %q, want %q", got, tokens)
		}
	})
}

func TestSeveralMessagesAreInTheOrderOfTheirRequests(t *testing.T) {
	t.Parallel()
	first, second := request(&push.Message{Title: "first", Body: "b"}, "a", "b"), request(&push.Message{Title: "second", Body: "b"}, "a")
	second.Key = "another"
	body, err := batchBody([]*vendors.Request{first, second})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, target := range targetsOf(t, body) {
		got = append(got, target.Value+" "+target.Notification.Title+" "+target.Notification.AppMessageID)
	}
	want := []string{"a first " + testKey, "b first " + testKey, "a second another"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestATokenWithBrokenUTF8StaysJSON(t *testing.T) {
	t.Parallel()
	body, err := unicastBody(request(&push.Message{Title: "t", Body: "b"}, "a\xffb\u2028\x01"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := targetsOf(t, body)[0].Value, "a\ufffdb\u2028\x01"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestABroadcastJoinsItsTokensWithSemicolons(t *testing.T) {
	t.Parallel()
	r := request(&push.Message{}, "CN_a", "b+c&d", "e")
	r.UploadID = "58ad 47"
	form, err := url.ParseQuery(string(broadcastBody(r)))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"auth_token": {"access"}, "message_id": {"58ad 47"}, "target_type": {"2"}, "target_value": {"CN_a;b+c&d;e"}}
	if form.Encode() != want.Encode() {
		t.Errorf("got %v, want %v", form, want)
	}
}

// Not parallel: the allocations of other tests would be counted too.
func TestAllocationsDoNotGrowWithTheTokens(t *testing.T) {
	m := &push.Message{Title: "t", Body: "b", Data: map[string]string{"k": "v"}}
	vendortest.ConstantAllocations(t, 2, 1000, 60, "CN_%032d", func(tokens []string) func() {
		var items strings.Builder
		for i, token := range tokens {
			fmt.Fprintf(&items, `,{"messageId":"58ad47319e8d725350a5%04d","registrationId":"%s"}`, i, token)
		}
		r := request(m, tokens...)
		r.UploadID = "58ad"
		ok := httpx.Reply{Status: 200, Body: []byte(`{"code":0,"message":"","data":[` + items.String()[1:] + `]}`)}
		return func() {
			if _, err := batchBody([]*vendors.Request{r}); err != nil {
				t.Fatal(err)
			}
			broadcastBody(r)
			if a, err := readAnswer(ok, tokens, "access", "secret"); err != nil || len(a.Tokens) != 0 {
				t.Fatal(a.Tokens, err)
			}
		}
	})
}

func FuzzAppendForm(f *testing.F) {
	for _, seed := range []string{"", "plain", `quote " and \`, "\x00\x1f\x7f", "汉字🚚", "\xff\xfe", "<&>+% "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, err := url.QueryUnescape(string(appendForm(nil, body.AppendString(nil, s))))
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		var got, want string
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &want); err != nil || got != want {
			t.Errorf("%q came back as %q, want %q", s, got, want)
		}
	})
}
