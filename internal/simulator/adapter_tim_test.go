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
	"github.com/postrider/postrider/pkg/vendors/tim"
)

// timSend sends to a simulator, with a UserSig as old as age, and returns
// "level/code" of the answer and of each token with a code of its own.
func timSend(t *testing.T, o simulator.Options, settings tim.Settings, age time.Duration, m *push.Message, requests ...[]string) (*simulator.Simulator, []string) {
	t.Helper()
	s := simulator.New(o)
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	client := httpx.NewClient(1)
	t.Cleanup(client.CloseIdleConnections)
	settings.BaseURL = srv.URL
	vendor := settings.Open(client)
	grant, err := vendor.(vendors.Granter).Grant(t.Context(), time.Now().Add(-age))
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, tokens := range requests {
		answer, err := vendor.Send(t.Context(), &vendors.Request{
			Message: m, Tokens: tokens, TTL: time.Hour, Key: "0123456789abcdef0123456789abcdef", Access: grant.Access, Now: time.Now(),
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

func TestTIMAdapterAgainstTheSimulator(t *testing.T) {
	t.Parallel()
	full, rest := make([]string, tim.Spec().Batch), make([]string, tim.Spec().Batch)
	for i := range full {
		full[i], rest[i] = fmt.Sprintf("user_%08d", i), fmt.Sprintf("more_%08d", i)
	}
	badge := 0
	rich := &push.Message{
		Class: push.Marketing, Category: "ORDER", Channel: "orders", Title: "Shipped <now> & 汉字", Body: "您的订单 42 已发货 🚚",
		Data: map[string]string{"order": "42"}, Click: &push.Click{Action: push.ClickURL, Target: "https://shop.example"},
		CollapseID: "order-42", Image: "https://shop.example/42.png", Sound: "shake", Badge: &badge, Test: true,
	}
	plain := &push.Message{Title: "t", Body: "b"}
	data := &push.Message{Kind: push.Data, Data: map[string]string{"k": "v"}}
	pushing := tim.Settings{SDKAppID: 100001, SecretKey: vendors.NewSecret("demo-secret")}
	chatting := tim.Settings{SDKAppID: 100001, SecretKey: vendors.NewSecret("demo-secret"), API: "chat"}
	boss := tim.Settings{SDKAppID: 100001, SecretKey: vendors.NewSecret("demo-secret"), Identifier: "boss+1"}
	stranger := tim.Settings{SDKAppID: 100001, SecretKey: vendors.NewSecret("another")}
	elsewhere := tim.Settings{SDKAppID: 100002, SecretKey: vendors.NewSecret("demo-secret")}
	tests := []struct {
		name     string
		opt      simulator.Options
		settings tim.Settings
		age      time.Duration
		m        *push.Message
		requests [][]string
		want     []string
		accepted int64
		wrong    int64 // violations
	}{
		{"two full batches within a second", simulator.Options{}, pushing, 0, rich, [][]string{full, rest}, []string{"response/0", "response/0"}, 1000, 0},
		{"the same batch again", simulator.Options{}, pushing, 0, plain, [][]string{full, full}, []string{"response/0", "response/0"}, 1000, 0},
		{"full batches of a chat message", simulator.Options{}, chatting, 0, rich, [][]string{full, rest}, []string{"response/0", "response/0"}, 1000, 0},
		{"a data message", simulator.Options{}, pushing, 0, data, [][]string{{"a", "b"}}, []string{"response/0"}, 2, 0},
		{"another administrator", simulator.Options{TIM: simulator.TIMOptions{Admins: []string{"boss+1"}}}, boss, 0, plain, [][]string{{"a"}}, []string{"response/0"}, 1, 0},
		{"some do not exist", simulator.Options{}, pushing, 0, plain, [][]string{{"a", "bad-1", "b"}}, []string{"response/0 1:token/70107"}, 2, 0},
		{"some do not exist in a chat", simulator.Options{}, chatting, 0, plain, [][]string{{"a", "bad-1", "b"}}, []string{"response/0 1:token/70107"}, 2, 0},
		{"none exists", simulator.Options{}, pushing, 0, plain, [][]string{{"bad-1", "bad-2"}}, []string{"response/90012"}, 0, 0},
		{"none exists, listed", simulator.Options{TIM: simulator.TIMOptions{AllListed: true}}, pushing, 0, plain, [][]string{{"bad-1", "bad-2"}}, []string{"response/0 0:token/70107 1:token/70107"}, 0, 0},
		{"none exists in a chat, without a code", simulator.Options{TIM: simulator.TIMOptions{NoCode: true}}, chatting, 0, plain, [][]string{{"bad-1"}}, []string{"response/FAIL 0:token/70107"}, 0, 0},
		{"a UserSig that is a day old", simulator.Options{}, pushing, 24 * time.Hour, plain, [][]string{{"a"}}, []string{"response/0"}, 1, 0},
		{"a UserSig that has expired", simulator.Options{}, pushing, 26 * time.Hour, plain, [][]string{{"a"}}, []string{"response/70001"}, 0, 0},
		{"a wrong key", simulator.Options{}, stranger, 0, plain, [][]string{{"a"}}, []string{"response/70009"}, 0, 1},
		{"a wrong app", simulator.Options{}, elsewhere, 0, plain, [][]string{{"a"}}, []string{"response/70020"}, 0, 1},
		{"no administrator", simulator.Options{}, boss, 0, plain, [][]string{{"a"}}, []string{"response/60010"}, 0, 1},
		{"over the rate", simulator.Options{Rate: 2}, pushing, 0, plain, [][]string{{"a", "b"}, {"c"}}, []string{"response/0", "response/60007"}, 2, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, said := timSend(t, tt.opt, tt.settings, tt.age, tt.m, tt.requests...)
			if got, want := strings.Join(said, "; "), strings.Join(tt.want, "; "); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			r := s.Report()
			if got := r.Vendors["tim"].Accepted; got != tt.accepted || r.Violations() != tt.wrong {
				t.Errorf("got %d accepted and %d violations, want %d and %d: %v", got, r.Violations(), tt.accepted, tt.wrong, r.Vendors["tim"].Violations)
			}
		})
	}
}
