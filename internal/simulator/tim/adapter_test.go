package tim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
	player "github.com/postrider/postrider/internal/simulator/tim"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/tim"
)

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
		opt      play.Options
		own      player.Options
		settings tim.Settings
		age      time.Duration
		m        *push.Message
		requests [][]string
		want     []string
		accepted int64
		wrong    int64 // violations
	}{
		{"two full batches within a second", play.Options{}, player.Options{}, pushing, 0, rich, [][]string{full, rest}, []string{"response/0", "response/0"}, 1000, 0},
		{"the same batch again", play.Options{}, player.Options{}, pushing, 0, plain, [][]string{full, full}, []string{"response/0", "response/0"}, 1000, 0},
		{"full batches of a chat message", play.Options{}, player.Options{}, chatting, 0, rich, [][]string{full, rest}, []string{"response/0", "response/0"}, 1000, 0},
		{"a data message", play.Options{}, player.Options{}, pushing, 0, data, [][]string{{"a", "b"}}, []string{"response/0"}, 2, 0},
		{"another administrator", play.Options{}, player.Options{Admins: []string{"boss+1"}}, boss, 0, plain, [][]string{{"a"}}, []string{"response/0"}, 1, 0},
		{"some do not exist", play.Options{}, player.Options{}, pushing, 0, plain, [][]string{{"a", "bad-1", "b"}}, []string{"response/0 1 token/70107"}, 2, 0},
		{"some do not exist in a chat", play.Options{}, player.Options{}, chatting, 0, plain, [][]string{{"a", "bad-1", "b"}}, []string{"response/0 1 token/70107"}, 2, 0},
		{"none exists", play.Options{}, player.Options{}, pushing, 0, plain, [][]string{{"bad-1", "bad-2"}}, []string{"response/90012"}, 0, 0},
		{"none exists, listed", play.Options{}, player.Options{AllListed: true}, pushing, 0, plain, [][]string{{"bad-1", "bad-2"}}, []string{"response/0 0 token/70107 1 token/70107"}, 0, 0},
		{"none exists in a chat, without a code", play.Options{}, player.Options{NoCode: true}, chatting, 0, plain, [][]string{{"bad-1"}}, []string{"response/FAIL 0 token/70107"}, 0, 0},
		{"a UserSig that is a day old", play.Options{}, player.Options{}, pushing, 24 * time.Hour, plain, [][]string{{"a"}}, []string{"response/0"}, 1, 0},
		{"a UserSig that has expired", play.Options{}, player.Options{}, pushing, 26 * time.Hour, plain, [][]string{{"a"}}, []string{"response/70001"}, 0, 0},
		{"a wrong key", play.Options{}, player.Options{}, stranger, 0, plain, [][]string{{"a"}}, []string{"response/70009"}, 0, 1},
		{"a wrong app", play.Options{}, player.Options{}, elsewhere, 0, plain, [][]string{{"a"}}, []string{"response/70020"}, 0, 1},
		{"no administrator", play.Options{}, player.Options{}, boss, 0, plain, [][]string{{"a"}}, []string{"response/60010"}, 0, 1},
		{"over the rate", play.Options{Rate: 2}, player.Options{}, pushing, 0, plain, [][]string{{"a", "b"}, {"c"}}, []string{"response/0", "response/60007"}, 2, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := playtest.NewAdapter(t, tt.opt, player.New(tt.own), func(base string) vendors.Settings {
				tt.settings.BaseURL = base
				return &tt.settings
			})
			grant, err := a.Vendor.(vendors.Granter).Grant(t.Context(), a.Now().Add(-tt.age)) // a UserSig as old as that
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, tokens := range tt.requests {
				r := a.Request(tt.m, tokens...)
				r.Access = grant.Access
				said = append(said, strings.Join(a.Said(a.Send(t.Context(), r)), " "))
			}
			if got, want := strings.Join(said, "; "), strings.Join(tt.want, "; "); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			a.WantReport(tt.accepted, tt.wrong)
		})
	}
}
