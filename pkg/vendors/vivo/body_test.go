package vivo

import (
	"encoding/json"
	"slices"
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
	return &vendors.Request{Message: m, Tokens: tokens, TTL: time.Hour, Key: testKey, Access: "access", UploadID: "542423431"}
}

// list is the body of pushToList, as in the document.
type list struct {
	AppID     int      `json:"appId"`
	TaskID    string   `json:"taskId"`
	RequestID string   `json:"requestId"`
	PushMode  int      `json:"pushMode"`
	RegIDs    []string `json:"regIds"`
}

func listOf(t interface{ Fatalf(string, ...any) }, r *vendors.Request) list {
	a := &adapter{appID: "10004"}
	body := a.listBody(r)
	var l list
	if err := json.Unmarshal(body, &l); err != nil {
		t.Fatalf("the body %s is not JSON: %v", body, err)
	}
	return l
}

// Any tokens can be read unchanged from the body.
func TestTokensSurviveTheBody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SliceOfN(rapid.String(), 2, 20).Draw(t, "tokens")
		got := listOf(t, request(&push.Message{}, tokens...))
		if !slices.Equal(got.RegIDs, tokens) || got.AppID != 10004 || got.TaskID != "542423431" || got.PushMode != 0 {
			t.Fatalf("got %+v, want the tokens %q", got, tokens)
		}
	})
}

func TestAListsRequestIDIsTheSameOnlyForTheSameRequest(t *testing.T) {
	t.Parallel()
	m := &push.Message{Title: "t"}
	base := request(m, "a", "b")
	want := listOf(t, base).RequestID
	later := *base
	later.TTL, later.Access, later.Now = time.Minute, "another", time.Unix(1, 0)
	if got := listOf(t, &later).RequestID; got != want {
		t.Error("a repeated request has another requestId")
	}
	changes := map[string]func(r *vendors.Request){
		"another message":       func(r *vendors.Request) { r.Key = "f123456789abcdef0123456789abcdef" },
		"other tokens":          func(r *vendors.Request) { r.Tokens = []string{"a", "c"} },
		"fewer tokens":          func(r *vendors.Request) { r.Tokens = []string{"a"} },
		"tokens cut elsewhere":  func(r *vendors.Request) { r.Tokens = []string{"ab", ""} },
		"another saved message": func(r *vendors.Request) { r.UploadID = "5" },
	}
	for name, change := range changes {
		r := *base
		change(&r)
		if got := listOf(t, &r).RequestID; got == want {
			t.Errorf("%s has the same requestId", name)
		}
	}
	if len(want) > 64 || len(want) != 32 {
		t.Errorf("got %q, want 32 of at most 64 characters", want)
	}
}

func TestASingleRequestIDDependsOnMessageAndToken(t *testing.T) {
	t.Parallel()
	a := &adapter{appID: "10004"}
	id := func(r *vendors.Request) string {
		body, err := a.singleBody(r)
		var m message
		if err != nil || json.Unmarshal(body, &m) != nil {
			t.Fatalf("got %s (%v)", body, err)
		}
		return m.RequestID
	}
	first := request(&push.Message{Title: "t", Body: "b"}, "a")
	later := *first
	later.TTL = time.Minute
	other, another := *first, *first
	other.Tokens, another.Key = []string{"b"}, "f123456789abcdef0123456789abcdef"
	if id(first) != id(&later) {
		t.Error("a repeated request has another requestId")
	}
	if id(first) == id(&other) || id(first) == id(&another) {
		t.Error("another token or message has the same requestId")
	}
}

func TestTimeToLiveIsWithinTheEndpointsBounds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		ttl          time.Duration
		single, list int64
	}{
		{time.Nanosecond, 60, 900},
		{899 * time.Second, 899, 900},
		{90*time.Minute + 700*time.Millisecond, 5400, 5400},
		{25 * time.Hour, 86400, 90000},
		{30 * 24 * time.Hour, 86400, 604800},
	}
	for _, tt := range tests {
		if single, list := seconds(tt.ttl, singleLeast, singleMost), seconds(tt.ttl, listLeast, listMost); single != tt.single || list != tt.list {
			t.Errorf("%v: got %d and %d, want %d and %d", tt.ttl, single, list, tt.single, tt.list)
		}
	}
}

func TestOneTokenNeedsNoUpload(t *testing.T) {
	t.Parallel()
	a := &adapter{}
	for n, want := range map[int]bool{1: false, 2: true, 1000: true} {
		if got := a.NeedsUpload(&vendors.Request{Tokens: make([]string, n)}); got != want {
			t.Errorf("%d tokens: got %v, want %v", n, got, want)
		}
	}
}

func TestCategoriesOfTheOtherClassAreLeftOut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		m    push.Message
		want string
	}{
		{"none", push.Message{}, ""},
		{"a system category", push.Message{Category: "ORDER"}, "ORDER"},
		{"a system category in a marketing message", push.Message{Category: "ORDER", Class: push.Marketing}, ""},
		{"an operational category", push.Message{Category: "NEWS", Class: push.Marketing}, "NEWS"},
		{"an operational category in a service message", push.Message{Category: "NEWS", Class: push.Service}, ""},
		{"a category that vivo lacks", push.Message{Category: "VOIP"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := category(&tt.m); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Not parallel: the allocations of other tests would be counted too.
func TestAllocationsDoNotGrowWithTheTokens(t *testing.T) {
	a := &adapter{appID: "10004"}
	vendortest.ConstantAllocations(t, 2, 1000, 40, "%023d", func(tokens []string) func() {
		r := request(&push.Message{Title: "t", Body: "b"}, tokens...)
		ok := httpx.Reply{Status: 200, Body: []byte(`{"result":0,"desc":"请求成功"}`)}
		return func() {
			a.listBody(r)
			if got, err := readAnswer(ok, tokens, "access", "secret"); err != nil || len(got.Tokens) != 0 {
				t.Fatal(got, err)
			}
		}
	})
}
