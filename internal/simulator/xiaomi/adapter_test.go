package xiaomi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
	player "github.com/postrider/postrider/internal/simulator/xiaomi"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/xiaomi"
)

func newAdapter(t *testing.T, o play.Options, own player.Options, secret string) playtest.Adapter {
	t.Helper()
	return playtest.NewAdapter(t, o, player.New(own), func(base string) vendors.Settings {
		return &xiaomi.Settings{AppSecret: vendors.NewSecret(secret), PackageName: "100001", BaseURL: base}
	})
}

func request(m *push.Message, tokens ...string) *vendors.Request {
	return &vendors.Request{Message: m, Tokens: tokens, TTL: time.Hour, Key: "0123456789abcdef0123456789abcdef", Now: time.Now()}
}

func TestXiaomiAdapterAgainstTheSimulator(t *testing.T) {
	t.Parallel()
	plain := &push.Message{Title: "Shipped", Body: "您的订单 42 已发货 🚚"}
	full := make([]string, 1000)
	for i := range full {
		full[i] = fmt.Sprintf("d//igwEhgBGCI2TG6lWqlJ9dkn5fpcq9w+%04d=", i)
	}
	tests := []struct {
		name       string
		opt        player.Options
		secret     string
		tokens     []string
		want       []string
		accepted   int64
		violations int64
	}{
		{"a full batch", player.Options{}, "demo-secret", full, []string{"response/0"}, 1000, 0},
		{"one token", player.Options{}, "demo-secret", []string{"a"}, []string{"response/0"}, 1, 0},
		{"some are invalid", player.Options{}, "demo-secret", []string{"a", "bad-/+=", "b"}, []string{"response/0", "1 token/bad_regids"}, 2, 0},
		{"some are invalid, spelt otherwise", player.Options{CamelBad: true}, "demo-secret", []string{"bad-1", "b"}, []string{"response/0", "0 token/bad_regids"}, 1, 0},
		{"all are invalid", player.Options{}, "demo-secret", []string{"bad-1", "bad-2"}, []string{"response/20301"}, 0, 0},
		{"a wrong secret", player.Options{}, "other-secret", []string{"a"}, []string{"response/21301"}, 0, 1},
		{"a success with a reason", player.Options{ReasonOnSuccess: true}, "demo-secret", []string{"a"}, []string{"response/0"}, 1, 0},
		{"an unknown channel", player.Options{Channels: []string{"7"}}, "demo-secret", []string{"a"}, []string{"response/27001"}, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newAdapter(t, play.Options{}, tt.opt, tt.secret)
			if got := p.Said(p.Send(t.Context(), request(plain, tt.tokens...))); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			p.WantReport(tt.accepted, tt.violations)
		})
	}
}

func TestXiaomiAdapterSendsWhatTheVendorTakes(t *testing.T) {
	t.Parallel()
	override := map[string]json.RawMessage{"xiaomi": json.RawMessage(`{"notify_type":2,"extra.callback":"https://ours.example/r","extra.callback.type":19,"extra.flow_control":"3000"}`)}
	messages := map[string]*push.Message{
		"everything": {
			Class: push.Service, Category: "ORDER", Channel: "7", Title: "<t> & \"t\"", Body: "字", Data: map[string]string{"k": "100%+"},
			Click: &push.Click{Action: push.ClickURL, Target: "https://shop.example/?a=1&b=2"}, CollapseID: "c", Sound: "/raw/shake", Overrides: override,
		},
		"marketing": {Class: push.Marketing, Title: "t", Body: "b", Click: &push.Click{Action: push.ClickIntent, Target: "intent:#Intent;end"}},
		"activity":  {Title: "t", Body: "b", Click: &push.Click{Action: push.ClickActivity, Target: "com.x.A"}},
		"data":      {Kind: push.Data, Channel: "7", Data: map[string]string{"k": "v"}},
	}
	for name, m := range messages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if faults := xiaomi.Spec().Check(m); len(faults) > 0 {
				t.Fatal(faults)
			}
			p := newAdapter(t, play.Options{}, player.Options{}, "demo-secret")
			long := request(m, "a", "b")
			long.TTL = 30 * 24 * time.Hour
			for range 2 {
				if got := p.Said(p.Send(t.Context(), long)); !slices.Equal(got, []string{"response/0"}) {
					t.Errorf("got %q, want success", got)
				}
			}
			many := p.Vendor.(vendors.MixedSender)
			if got := p.Said(many.SendMixed(t.Context(), []*vendors.Request{long, request(m, "c")})); !slices.Equal(got, []string{"response/0"}) {
				t.Errorf("many: got %q, want success", got)
			}
			p.WantReport(3, 0)
			if got := p.Report().Vendors["xiaomi"].Swallowed; got != 4 {
				t.Errorf("%d tokens had the message before, want 4", got)
			}
		})
	}
}

func TestXiaomiAdapterSendsManyMessages(t *testing.T) {
	t.Parallel()
	spec := xiaomi.Spec()
	all := make([]*vendors.Request, spec.MaxMixed)
	for i := range all {
		all[i] = request(&push.Message{Title: fmt.Sprint("order ", i), Body: "b"}, fmt.Sprintf("t+%d", i))
	}
	x := player.Options{}
	on := func(channel string, tokens ...string) *vendors.Request {
		return request(&push.Message{Title: "t", Body: "b", Channel: channel}, tokens...)
	}
	tests := []struct {
		name     string
		opt      player.Options
		rs       []*vendors.Request
		want     []string
		accepted int64
	}{
		{"as many as go", x, all, []string{"response/0"}, int64(spec.MaxMixed)},
		{"some are invalid", x, []*vendors.Request{on("", "a", "bad-1"), on("7", "bad-2", "b")}, []string{"response/0", "1 token/bad_regids", "2 token/bad_regids"}, 2},
		{"all are invalid", x, []*vendors.Request{on("", "bad-1"), on("7", "bad-2")}, []string{"response/20301"}, 0},
		{
			"a channel is over its quota", player.Options{DayQuota: 2}, []*vendors.Request{on("", "a", "b"), on("7", "c", "d")},
			[]string{"response/0", "2 token/channel_exceed_quota", "3 token/channel_exceed_quota"}, 2,
		},
		{
			"nobody knows who was over the quota", player.Options{DayQuota: 1}, []*vendors.Request{on("", "a", "b"), on("7", "c")},
			[]string{"response/0", "0 token/channel_exceed_quota/some", "1 token/channel_exceed_quota/some", "2 token/channel_exceed_quota"}, 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newAdapter(t, play.Options{}, tt.opt, "demo-secret")
			if got := p.Said(p.Vendor.(vendors.MixedSender).SendMixed(t.Context(), tt.rs)); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			p.WantReport(tt.accepted, 0)
			if got := p.Report().Vendors["xiaomi"].Requests; got != 1 {
				t.Errorf("got %d requests, want 1", got)
			}
		})
	}
}

// A device shows only the first message with a jobkey; the vendor accepts all of them.
func TestXiaomiShowsARepeatedMessageOnce(t *testing.T) {
	t.Parallel()
	p := newAdapter(t, play.Options{}, player.Options{}, "demo-secret")
	m := &push.Message{Title: "t", Body: "b"}
	send := func(key string, many bool, tokens ...string) {
		t.Helper()
		r := request(m, tokens...)
		r.Key = key
		var got []string
		if many {
			got = p.Said(p.Vendor.(vendors.MixedSender).SendMixed(t.Context(), []*vendors.Request{r}))
		} else {
			got = p.Said(p.Send(t.Context(), r))
		}
		if !slices.Equal(got, []string{"response/0"}) {
			t.Errorf("got %q, want success", got)
		}
	}
	first, second := strings.Repeat("0", 32), strings.Repeat("f", 32)
	for _, step := range []struct {
		key                 string
		many                bool
		tokens              []string
		accepted, swallowed int64
	}{
		{first, false, []string{"a", "b"}, 2, 0},
		{first, false, []string{"a", "b"}, 2, 2},
		{first, true, []string{"a"}, 2, 3},
		{first, false, []string{"a", "c"}, 3, 4},  // another chunk of the job
		{second, false, []string{"a", "b"}, 5, 4}, // another job with the same words
		{second, true, []string{"d"}, 6, 4},
		{second, false, []string{"d"}, 6, 5},
	} {
		send(step.key, step.many, step.tokens...)
		if v := p.Report().Vendors["xiaomi"]; v.Accepted != step.accepted || v.Swallowed != step.swallowed {
			t.Errorf("after %v: accepted %d and swallowed %d, want %d and %d", step, v.Accepted, v.Swallowed, step.accepted, step.swallowed)
		}
	}
	p.WantReport(6, 0)
}

func TestXiaomiAdapterMeetsItsLimits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := newAdapter(t, play.Options{Now: func() time.Time { return now }, Rate: 2}, player.Options{DayQuota: 10}, "demo-secret")
	r := request(&push.Message{Title: "t", Body: "b"}, "a", "b")
	for i, want := range []string{"response/0", "response/0", "response/200002"} {
		if got := p.Said(p.Send(t.Context(), r)); got[0] != want {
			t.Errorf("request %d: got %s, want %s", i+1, got, want)
		}
	}
	p.WantReport(2, 0) // the second request had the key of the first

	p = newAdapter(t, play.Options{}, player.Options{DayQuota: 2}, "demo-secret")
	for i, want := range []string{"response/0", "response/200001"} {
		if got := p.Said(p.Send(t.Context(), r)); got[0] != want {
			t.Errorf("request %d of the day: got %s, want %s", i+1, got, want)
		}
	}
	p.WantReport(2, 0)
}

func TestXiaomiAdapterReadsFaults(t *testing.T) {
	t.Parallel()
	p := newAdapter(t, play.Options{}, player.Options{}, "demo-secret")
	for code, want := range map[string]string{"20301": "response/20301", "20301/other": "response/20301/other", "10002": "response/10002", "66007": "response/66007/one"} {
		if err := p.SetFaults([]play.Fault{{Vendor: "xiaomi", Code: code}}); err != nil {
			t.Fatal(err)
		}
		a, err := p.Send(t.Context(), request(&push.Message{Title: "t", Body: "b"}, "a"))
		if got := p.Said(a, err); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %q, want %s", code, got, want)
		}
	}
}
