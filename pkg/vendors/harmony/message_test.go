package harmony

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

func TestTTLIsWholeSecondsBetweenOneAndFifteenDays(t *testing.T) {
	t.Parallel()
	tests := map[time.Duration]int64{
		time.Nanosecond:         1,
		1500 * time.Millisecond: 1,
		24 * time.Hour:          86400,
		15 * 24 * time.Hour:     1296000,
		16 * 24 * time.Hour:     1296000,
	}
	for d, want := range tests {
		if got := ttl(d); got != want {
			t.Errorf("ttl(%v) is %d, want %d", d, got, want)
		}
	}
}

func TestEveryRequestOfAMessageHasItsAppMessageID(t *testing.T) {
	t.Parallel()
	id := func(key string, tokens ...string) string {
		r := request(&push.Message{Title: "t", Body: "b"}, tokens...)
		r.Key = key
		body, err := requestBody(r)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Payload struct {
				Notification struct{ AppMessageID string }
			}
		}
		if err := json.Unmarshal(body, &doc); err != nil {
			t.Fatal(err)
		}
		return doc.Payload.Notification.AppMessageID
	}
	other := strings.Repeat("f", 32)
	if first, again := id(testKey, "a", "b"), id(testKey, "c"); first != testKey || again != first || id(other, "a") != other {
		t.Errorf("got %q and %q, want the key for any tokens", first, again)
	}
}

func TestNotifyIDDependsOnlyOnTheCollapseID(t *testing.T) {
	t.Parallel()
	if n := newNotification(&push.Message{}, ident{key: "a"}); n.NotifyID != nil {
		t.Errorf("without a collapse id: got %d, want none", *n.NotifyID)
	}
	m := &push.Message{CollapseID: "order-42"}
	if one, two := newNotification(m, ident{key: "a"}), newNotification(m, ident{key: "b"}); *one.NotifyID != *two.NotifyID {
		t.Error("with a collapse id, want one id for all keys")
	}
	rapid.Check(t, func(t *rapid.T) {
		if id := notifyID(rapid.String().Draw(t, "collapse id")); id > 1<<31-1 {
			t.Fatalf("got %d, want 0 to 2147483647", id)
		}
	})
}

func TestCategories(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		m    push.Message
		want string
	}{
		{"a service message without a category gets the one that needs no right, since the field is required", push.Message{}, "MARKETING"},
		{"no category in a marketing message", push.Message{Class: push.Marketing}, "MARKETING"},
		{"HarmonyOS's own category stays", push.Message{Category: "MISS_CALL"}, "MISS_CALL"},
		{"a marketing message keeps its own", push.Message{Class: push.Marketing, Category: "SUBSCRIPTION"}, "SUBSCRIPTION"},
		{"an order is among orders and logistics", push.Message{Category: "ORDER"}, "EXPRESS"},
		{"news are marketing", push.Message{Category: "NEWS"}, "MARKETING"},
		{"a category that HarmonyOS lacks is marketing", push.Message{Category: "TODO"}, "MARKETING"},
		{"a voice message has another push-type", push.Message{Category: "PLAY_VOICE"}, "MARKETING"},
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

func TestTokensSurviveTheBody(t *testing.T) {
	t.Parallel()
	vendortest.TokensSurvive(t, func(tokens []string) ([]byte, error) {
		return requestBody(request(&push.Message{Kind: push.Data}, tokens...))
	}, "target", "token")
}

func TestAnOverrideThatEmptiesTheMessageLeavesTheTokensAndTheKey(t *testing.T) {
	t.Parallel()
	override := `{"pushOptions":null,"payload":{"notification":{"title":null,"body":null,"clickAction":null,"category":null,"notifyId":null}}}`
	m := &push.Message{Title: "t", Body: "b", Overrides: map[string]json.RawMessage{Name: json.RawMessage(override)}}
	body, err := requestBody(request(m, "a"))
	if got, want := string(body), `{"payload":{"notification":{"appMessageId":"`+testKey+`"}},"target":{"token":["a"]}}`; got != want || err != nil {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
	for _, override := range []string{`{"payload":null}`, `{"payload":{"Notification":7}}`, `{"payload":{"notification":{"appMessageId":"mine"}}}`} {
		m.Overrides[Name] = json.RawMessage(override)
		if body, err := requestBody(request(m, "a")); err == nil || len(check(m)) != 1 {
			t.Errorf("%s makes %s, want it refused", override, body)
		}
	}
}

// Not parallel: the allocations of other tests would be counted too.
func TestAllocationsDoNotGrowWithTheTokens(t *testing.T) {
	m := &push.Message{Title: "t", Body: "b", Data: map[string]string{"k": "v"}}
	vendortest.ConstantAllocations(t, 1, 1000, 60, "%0130d", func(tokens []string) func() {
		r := request(m, tokens...)
		ok := httpx.Reply{Status: 200, Body: []byte(`{"code":"80000000","msg":"Success","requestId":"157000000006"}`)}
		return func() {
			if _, err := requestBody(r); err != nil {
				t.Fatal(err)
			}
			if _, err := readAnswer(ok, tokens, "access"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestSendThatCannotBeEncodedMakesNoRequest(t *testing.T) {
	t.Parallel()
	s := settings(t)
	s.BaseURL = "http://127.0.0.1:1"
	m := &push.Message{Overrides: map[string]json.RawMessage{Name: json.RawMessage(`{"target":{}}`)}}
	_, err := s.Open(nil).Send(t.Context(), request(m, "a"))
	if err == nil || !strings.Contains(err.Error(), "send: transport/dial: merge overrides") {
		t.Errorf("got %v, want a refusal before any request", err)
	}
}
