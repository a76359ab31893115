package simulator_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
	"github.com/postrider/postrider/pkg/vendors/meizu"
)

// meizuSend sends to a simulator and returns "level/code" of the answer and of
// each token with a code of its own.
func meizuSend(t *testing.T, o simulator.Options, secret string, m *push.Message, requests ...[]string) (*simulator.Simulator, []string) {
	t.Helper()
	s := simulator.New(o)
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	client := httpx.NewClient(1)
	t.Cleanup(client.CloseIdleConnections)
	settings := meizu.Settings{AppID: "100001", AppSecret: vendors.NewSecret(secret), BaseURL: srv.URL}
	vendor := settings.Open(client)
	var said []string
	for _, tokens := range requests {
		answer, err := vendor.Send(t.Context(), &vendors.Request{
			Message: m, Tokens: tokens, TTL: time.Hour, Key: "0123456789abcdef0123456789abcdef", Now: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
		text := answer.Code.String()
		for _, tc := range answer.Tokens {
			text += fmt.Sprintf(" %d:%s", tc.Index, tc.Code)
		}
		said = append(said, text)
	}
	return s, said
}

func TestMeizuAdapterAgainstTheSimulator(t *testing.T) {
	t.Parallel()
	full := make([]string, meizu.Spec().Batch)
	for i := range full {
		full[i] = fmt.Sprintf("ULY6c596e6a7d5b714a475a60527c6b5f7f6%08d", i)
	}
	badge := 3
	rich := &push.Message{
		Class: push.Marketing, Category: "ORDER", Channel: "orders", Title: "Shipped <now> & 汉字", Body: "您的订单 42 已发货 🚚",
		Data: map[string]string{"order": "42 + 1%"}, Click: &push.Click{Action: push.ClickURL, Target: "https://shop.example/?a=1&b=2"},
		CollapseID: "order-42", Image: "https://shop.example/42.png", Sound: "shake", Badge: &badge, Test: true,
	}
	plain := &push.Message{Title: "t", Body: "b"}
	tests := []struct {
		name     string
		opt      simulator.Options
		secret   string
		m        *push.Message
		requests [][]string
		want     []string
		accepted int64
		wrong    int64 // violations
	}{
		{"a full batch", simulator.Options{}, "demo-secret", rich, [][]string{full}, []string{"response/200"}, 100, 0},
		{"an activity", simulator.Options{}, "demo-secret", &push.Message{Title: "t", Body: "b", Click: &push.Click{Action: push.ClickActivity, Target: "com.example.Main"}}, [][]string{{"a"}}, []string{"response/200"}, 1, 0},
		{"a data message", simulator.Options{}, "demo-secret", &push.Message{Kind: push.Data, Data: map[string]string{"k": "v"}}, [][]string{{"a", "b"}}, []string{"response/200"}, 2, 0},
		{"a data message that is not taken", simulator.Options{Meizu: simulator.MeizuOptions{NoPassThrough: true}}, "demo-secret", &push.Message{Kind: push.Data, Data: map[string]string{"k": "v"}}, [][]string{{"a"}}, []string{"response/110053"}, 0, 0},
		{"some are invalid", simulator.Options{}, "demo-secret", plain, [][]string{{"a", "bad-1", "mute-1", "b", "slow-1"}}, []string{"response/200 1:token/110002 2:token/110010 4:token/518"}, 2, 0},
		{"all are invalid", simulator.Options{}, "demo-secret", plain, [][]string{{"bad-1", "malformed-1"}}, []string{"response/200 0:token/110002 1:token/110003"}, 0, 0},
		{"one is invalid, said at the top", simulator.Options{Meizu: simulator.MeizuOptions{TopInvalid: true}}, "demo-secret", plain, [][]string{{"bad-1"}}, []string{"response/110002 0:token/110002"}, 0, 0},
		{"codes as numbers", simulator.Options{Meizu: simulator.MeizuOptions{NumberCodes: true}}, "demo-secret", plain, [][]string{{"a", "bad-1"}}, []string{"response/200 1:token/110002"}, 1, 0},
		{"a wrong secret", simulator.Options{}, "another", plain, [][]string{{"a"}}, []string{"response/1006"}, 0, 1},
		{"over the rate", simulator.Options{Rate: 1}, "demo-secret", plain, [][]string{{"a", "b"}, {"c"}}, []string{"response/200", "response/110010"}, 2, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, said := meizuSend(t, tt.opt, tt.secret, tt.m, tt.requests...)
			if got, want := strings.Join(said, "; "), strings.Join(tt.want, "; "); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			r := s.Report()
			if got := r.Vendors["meizu"].Accepted; got != tt.accepted || r.Violations() != tt.wrong {
				t.Errorf("got %d accepted and %d violations, want %d and %d: %v", got, r.Violations(), tt.accepted, tt.wrong, r.Vendors["meizu"].Violations)
			}
		})
	}
}
