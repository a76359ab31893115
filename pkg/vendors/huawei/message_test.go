package huawei

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

const testKey = "0123456789abcdef0123456789abcdef"

func request(m *push.Message, tokens ...string) *vendors.Request {
	return &vendors.Request{Message: m, Tokens: tokens, TTL: time.Hour, Key: testKey}
}

func TestTTLIsWholeSecondsBetweenOneAndFifteenDays(t *testing.T) {
	t.Parallel()
	tests := map[time.Duration]string{
		time.Nanosecond:         "1s",
		1500 * time.Millisecond: "1s",
		24 * time.Hour:          "86400s",
		15 * 24 * time.Hour:     "1296000s",
		16 * 24 * time.Hour:     "1296000s",
	}
	for d, want := range tests {
		if got := ttl(d); got != want {
			t.Errorf("ttl(%v) is %q, want %q", d, got, want)
		}
	}
}

func TestCategories(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		m    push.Message
		want string
	}{
		{"no category in a service message", push.Message{}, ""},
		{"no category in a marketing message", push.Message{Class: push.Marketing}, "MARKETING"},
		{"Huawei's own category stays", push.Message{Category: "TRAVEL"}, "TRAVEL"},
		{"a marketing message keeps its own", push.Message{Class: push.Marketing, Category: "SUBSCRIPTION"}, "SUBSCRIPTION"},
		{"an order is among orders and logistics", push.Message{Category: "ORDER"}, "EXPRESS"},
		{"news are marketing, even as a service message", push.Message{Category: "NEWS", Class: push.Service}, "MARKETING"},
		{"a category that Huawei lacks is left out", push.Message{Category: "TODO"}, ""},
		{"a voice message is data", push.Message{Category: "PLAY_VOICE", Kind: push.Data}, "PLAY_VOICE"},
		{"a voice notification does not exist", push.Message{Category: "PLAY_VOICE"}, ""},
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
		return requestBody(request(&push.Message{Title: "t", Body: "b"}, tokens...))
	}, "message", "token")
}

func TestAnOverrideThatEmptiesTheMessageLeavesTheTokens(t *testing.T) {
	t.Parallel()
	m := &push.Message{Title: "t", Body: "b", Overrides: map[string]json.RawMessage{Name: json.RawMessage(`{"android":null}`)}}
	body, err := requestBody(request(m, "a"))
	if got, want := string(body), `{"message":{"token":["a"]}}`; got != want || err != nil {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}

// Not parallel: the allocations of other tests would be counted too.
func TestAllocationsDoNotGrowWithTheTokens(t *testing.T) {
	m := &push.Message{Title: "t", Body: "b", Data: map[string]string{"k": "v"}}
	vendortest.ConstantAllocations(t, 1, 1000, 60, "%0130d", func(tokens []string) func() {
		r := request(m, tokens...)
		ok := httpx.Reply{Status: 200, Body: []byte(`{"code":"80000000","msg":"Success","requestId":"157440955549500001002006"}`)}
		return func() {
			if _, err := requestBody(r); err != nil {
				t.Fatal(err)
			}
			if _, err := readAnswer(ok, tokens, "access", "secret"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestSendThatCannotBeEncodedMakesNoRequest(t *testing.T) {
	t.Parallel()
	s := Settings{ClientID: "1", ClientSecret: vendors.NewSecret("s"), BaseURL: "http://127.0.0.1:1"}
	m := &push.Message{Overrides: map[string]json.RawMessage{Name: json.RawMessage(`{"token":["x"]}`)}}
	_, err := s.Open(nil).Send(t.Context(), request(m, "a"))
	if err == nil || !strings.Contains(err.Error(), "send: transport/dial: merge overrides") {
		t.Errorf("got %v, want a refusal before any request", err)
	}
}
