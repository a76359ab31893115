package meizu_test

import (
	"fmt"
	"strings"
	"testing"

	player "github.com/postrider/postrider/internal/simulator/meizu"
	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/meizu"
)

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
		opt      play.Options
		own      player.Options
		secret   string
		m        *push.Message
		requests [][]string
		want     []string
		accepted int64
		wrong    int64 // violations
	}{
		{"a full batch", play.Options{}, player.Options{}, "demo-secret", rich, [][]string{full}, []string{"response/200"}, 100, 0},
		{"an activity", play.Options{}, player.Options{}, "demo-secret", &push.Message{Title: "t", Body: "b", Click: &push.Click{Action: push.ClickActivity, Target: "com.example.Main"}}, [][]string{{"a"}}, []string{"response/200"}, 1, 0},
		{"a data message", play.Options{}, player.Options{}, "demo-secret", &push.Message{Kind: push.Data, Data: map[string]string{"k": "v"}}, [][]string{{"a", "b"}}, []string{"response/200"}, 2, 0},
		{"a data message that is not taken", play.Options{}, player.Options{NoPassThrough: true}, "demo-secret", &push.Message{Kind: push.Data, Data: map[string]string{"k": "v"}}, [][]string{{"a"}}, []string{"response/110053"}, 0, 0},
		{"some are invalid", play.Options{}, player.Options{}, "demo-secret", plain, [][]string{{"a", "bad-1", "mute-1", "b", "slow-1"}}, []string{"response/200 1 token/110002 2 token/110010 4 token/518"}, 2, 0},
		{"all are invalid", play.Options{}, player.Options{}, "demo-secret", plain, [][]string{{"bad-1", "malformed-1"}}, []string{"response/200 0 token/110002 1 token/110003"}, 0, 0},
		{"one is invalid, said at the top", play.Options{}, player.Options{TopInvalid: true}, "demo-secret", plain, [][]string{{"bad-1"}}, []string{"response/110002 0 token/110002"}, 0, 0},
		{"codes as numbers", play.Options{}, player.Options{NumberCodes: true}, "demo-secret", plain, [][]string{{"a", "bad-1"}}, []string{"response/200 1 token/110002"}, 1, 0},
		{"a wrong secret", play.Options{}, player.Options{}, "another", plain, [][]string{{"a"}}, []string{"response/1006"}, 0, 1},
		{"over the rate", play.Options{Rate: 1}, player.Options{}, "demo-secret", plain, [][]string{{"a", "b"}, {"c"}}, []string{"response/200", "response/110010"}, 2, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := playtest.NewAdapter(t, tt.opt, player.New(tt.own), func(base string) vendors.Settings {
				return &meizu.Settings{AppID: "100001", AppSecret: vendors.NewSecret(tt.secret), BaseURL: base}
			})
			var said []string
			for _, tokens := range tt.requests {
				said = append(said, a.Outcome(tt.m, tokens...))
			}
			if got, want := strings.Join(said, "; "), strings.Join(tt.want, "; "); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			a.WantReport(tt.accepted, tt.wrong)
		})
	}
}
