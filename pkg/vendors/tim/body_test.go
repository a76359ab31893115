package tim

import (
	"encoding/json"
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

var testAdapter = &adapter{appID: 1, identifier: admin, secret: vendors.NewSecret("key")}

func request(m *push.Message, tokens ...string) *vendors.Request {
	return &vendors.Request{Message: m, Tokens: tokens, TTL: time.Hour, Key: testKey, Now: time.Unix(1700000000, 0)}
}

func TestMsgRandomIsTheSameOnlyForARepeatedRequest(t *testing.T) {
	t.Parallel()
	m := &push.Message{Title: "t", Body: "b"}
	first := msgRandom(request(m, "a", "b"))
	later := request(m, "a", "b")
	later.Now = later.Now.Add(time.Hour)
	if msgRandom(later) != first {
		t.Error("the same request later: want the same MsgRandom")
	}
	if random(later) == random(request(m, "a", "b")) {
		t.Error("the same request later: want another random in the URL")
	}
	if msgRandom(request(m, "c", "d")) == first || msgRandom(request(m, "ab")) == first {
		t.Error("other accounts: want another MsgRandom, or they would count as a repetition")
	}
	other := request(m, "a", "b")
	other.Key = "f" + testKey[1:]
	if msgRandom(other) == first {
		t.Error("another message: want another MsgRandom")
	}
	rapid.Check(t, func(t *rapid.T) {
		r := request(m, rapid.SliceOfN(rapid.String(), 1, 5).Draw(t, "tokens")...)
		if n := msgRandom(r); n < 1 || n > 1<<31-1 {
			t.Fatalf("got %d, want 1 to 2147483647", n)
		}
	})
}

func TestMsgSeqIsTheSameForEveryPartOfAMessage(t *testing.T) {
	t.Parallel()
	seq := func(tokens ...string) uint32 {
		body, err := testAdapter.chatBody(request(&push.Message{Title: "t", Body: "b"}, tokens...))
		var doc struct{ MsgSeq uint32 }
		if err != nil || json.Unmarshal(body, &doc) != nil {
			t.Fatalf("got %s (%v)", body, err)
		}
		return doc.MsgSeq
	}
	if a, b := seq("a"), seq("b", "c"); a != b || a == 0 {
		t.Errorf("got %d and %d, want one number over 0", a, b)
	}
}

func TestMsgLifeTimeIsSecondsBetweenOneAndSevenDays(t *testing.T) {
	t.Parallel()
	tests := map[time.Duration]int64{
		time.Nanosecond: 1, 1500 * time.Millisecond: 1, time.Hour: 3600, 7 * 24 * time.Hour: 604800, 8 * 24 * time.Hour: 604800,
	}
	for d, want := range tests {
		if got := lifeTime(d); got != want {
			t.Errorf("%v is %d, want %d", d, got, want)
		}
	}
}

// Any accounts can be read unchanged from both bodies.
func TestAccountsSurviveTheBody(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.String(), 1, 20).Draw(t, "tokens")
		r := request(&push.Message{Title: rapid.String().Draw(t, "title"), Body: "b"}, want...)
		for _, write := range []func(*vendors.Request) ([]byte, error){testAdapter.pushBody, testAdapter.chatBody} {
			body, err := write(r)
			if err != nil {
				t.Fatal(err)
			}
			var doc struct {
				Accounts []string `json:"To_Account"`
			}
			if err := json.Unmarshal(body, &doc); err != nil || !slices.Equal(doc.Accounts, want) {
				t.Fatalf("got %q (%v), want %q", doc.Accounts, err, want)
			}
		}
	})
}

// In OfflinePushInfo a zero and a missing field have different meanings.
func TestMeaningfulZerosAreWritten(t *testing.T) {
	t.Parallel()
	zero := 0
	info, err := pushInfo(&push.Message{Title: "t", Body: "b", Class: push.Marketing, Badge: &zero})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"PushFlag":0`, `"BadgeSetNum":0`, `"VIVOClassification":0`, `"MeiZuNoticeMsgType":0`} {
		if !strings.Contains(string(info), want) {
			t.Errorf("got %s, want %s in it", info, want)
		}
	}
}

func TestVivoClassNeverContradictsTheCategory(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		m    push.Message
		want int
	}{
		{"a service message", push.Message{}, 1},
		{"a marketing message", push.Message{Class: push.Marketing}, 0},
		{"news as a service message", push.Message{Category: "NEWS"}, 0},
		{"an order as a marketing message", push.Message{Category: "ORDER", Class: push.Marketing}, 1},
		{"a category that vivo lacks", push.Message{Category: "FINANCE"}, 1},
		{"a category that no vendor has", push.Message{Category: "POETRY"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := vivoClass(&tt.m, category(&tt.m).VIVO); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// Not parallel: the allocations of other tests would be counted too.
func TestAllocationsDoNotGrowWithTheTokens(t *testing.T) {
	m := &push.Message{Title: "t", Body: "b", Data: map[string]string{"k": "v"}}
	ok := httpx.Reply{Status: 200, Body: []byte(`{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"TaskId":"batch_667015d4_537529d8"}`)}
	for name, write := range map[string]func(*vendors.Request) ([]byte, error){"push": testAdapter.pushBody, "chat": testAdapter.chatBody} {
		t.Log(name)
		vendortest.ConstantAllocations(t, 1, 500, 80, "%032d", func(tokens []string) func() {
			r := request(m, tokens...)
			return func() {
				if _, err := write(r); err != nil {
					t.Fatal(err)
				}
				random(r)
				if _, err := readAnswer(ok, tokens, "access", "secret"); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestSendThatCannotBeEncodedMakesNoRequest(t *testing.T) {
	t.Parallel()
	s := Settings{SDKAppID: 1, SecretKey: vendors.NewSecret("s"), BaseURL: "http://127.0.0.1:1"}
	m := &push.Message{Overrides: map[string]json.RawMessage{Name: json.RawMessage(`{"To_Account":["x"]}`)}}
	_, err := s.Open(nil).Send(t.Context(), request(m, "a"))
	if err == nil || !strings.Contains(err.Error(), "send: transport/dial: merge overrides") {
		t.Errorf("got %v, want a refusal before any request", err)
	}
}

// The URL contains the UserSig, so no error may contain the URL.
func TestNoErrorShowsTheURL(t *testing.T) {
	t.Parallel()
	s := Settings{SDKAppID: 1400000001, SecretKey: vendors.NewSecret("s"), BaseURL: "http://127.0.0.1:1"}
	r := request(&push.Message{Title: "t", Body: "b"}, "a")
	r.Access = "eJyrVgrx*the-UserSig_"
	for _, base := range []string{"http://127.0.0.1:1", "http://[::1", "http://127.0.0.1:1\x7f"} {
		s.BaseURL = base
		_, err := s.Open(httpx.NewClient(1)).Send(t.Context(), r)
		if err == nil || strings.Contains(err.Error(), "UserSig") || strings.Contains(err.Error(), "sdkappid") {
			t.Errorf("got %v, want an error without the URL", err)
		}
	}
}
