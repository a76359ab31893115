package honor

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

func TestImportanceFollowsTheClass(t *testing.T) {
	t.Parallel()
	for class, want := range map[push.Class]string{"": "NORMAL", push.Service: "NORMAL", push.Marketing: "LOW"} {
		if got := importance(class); got != want {
			t.Errorf("%q is %s, want %s", class, got, want)
		}
	}
}

func TestTokensSurviveTheBody(t *testing.T) {
	t.Parallel()
	vendortest.TokensSurvive(t, func(tokens []string) ([]byte, error) {
		return requestBody(request(&push.Message{Kind: push.Data}, tokens...))
	}, "token")
}

func TestAnOverrideThatEmptiesTheMessageLeavesTheTokens(t *testing.T) {
	t.Parallel()
	m := &push.Message{Title: "t", Body: "b", Overrides: map[string]json.RawMessage{Name: json.RawMessage(`{"android":null}`)}}
	body, err := requestBody(request(m, "a"))
	if got, want := string(body), `{"token":["a"]}`; got != want || err != nil {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}

// Not parallel: the allocations of other tests would be counted too.
func TestAllocationsDoNotGrowWithTheTokens(t *testing.T) {
	m := &push.Message{Title: "t", Body: "b", Data: map[string]string{"k": "v"}}
	vendortest.ConstantAllocations(t, 1, 1000, 60, "%0130d", func(tokens []string) func() {
		r := request(m, tokens...)
		ok := httpx.Reply{Status: 200, Body: []byte(`{"code":200,"message":"success","data":{"sendResult":true,"requestId":"1699999999999","failTokens":[],"expireTokens":[]}}`)}
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
	s := Settings{AppID: "1", ClientID: "2", ClientSecret: vendors.NewSecret("s"), BaseURL: "http://127.0.0.1:1"}
	m := &push.Message{Overrides: map[string]json.RawMessage{Name: json.RawMessage(`{"token":["x"]}`)}}
	_, err := s.Open(nil).Send(t.Context(), request(m, "a"))
	if err == nil || !strings.Contains(err.Error(), "send: transport/dial: merge overrides") {
		t.Errorf("got %v, want a refusal before any request", err)
	}
}
