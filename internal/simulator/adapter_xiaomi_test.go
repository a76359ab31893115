package simulator_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
	"github.com/postrider/postrider/pkg/vendors/xiaomi"
)

// xiaomiPair is the real adapter in front of the simulator.
type xiaomiPair struct {
	*simulator.Simulator
	vendors.Vendor
	t *testing.T
}

func newXiaomiPair(t *testing.T, o simulator.Options, secret string) xiaomiPair {
	t.Helper()
	s := simulator.New(o)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client := httpx.NewClient(8)
	t.Cleanup(client.CloseIdleConnections)
	settings := xiaomi.Settings{AppSecret: vendors.NewSecret(secret), PackageName: "100001", BaseURL: server.URL}
	if faults := settings.Faults(); len(faults) > 0 {
		t.Fatal(faults)
	}
	return xiaomiPair{s, settings.Open(client), t}
}

func xiaomiRequest(m *push.Message, tokens ...string) *vendors.Request {
	return &vendors.Request{Message: m, Tokens: tokens, TTL: time.Hour, Key: "0123456789abcdef0123456789abcdef", Now: time.Now()}
}

// said is an answer in words: its code, then those of tokens.
func (p xiaomiPair) said(a vendors.Answer, err error) []string {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	list := []string{a.Code.String()}
	for _, tc := range a.Tokens {
		list = append(list, fmt.Sprint(tc.Index, " ", tc.Code))
	}
	return list
}

func (p xiaomiPair) wantReport(accepted, violations int64) {
	p.t.Helper()
	r := p.Report()
	if got := r.Vendors["xiaomi"].Accepted; got != accepted || r.Violations() != violations {
		p.t.Errorf("got %d accepted and %d violations, want %d and %d: %v %v", got, r.Violations(), accepted, violations, r.Vendors["xiaomi"].Violations, r.Strays)
	}
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
		opt        simulator.Options
		secret     string
		tokens     []string
		want       []string
		accepted   int64
		violations int64
	}{
		{"a full batch", simulator.Options{}, "demo-secret", full, []string{"response/0"}, 1000, 0},
		{"one token", simulator.Options{}, "demo-secret", []string{"a"}, []string{"response/0"}, 1, 0},
		{"some are invalid", simulator.Options{}, "demo-secret", []string{"a", "bad-/+=", "b"}, []string{"response/0", "1 token/bad_regids"}, 2, 0},
		{"some are invalid, spelt otherwise", simulator.Options{Xiaomi: simulator.XiaomiOptions{CamelBad: true}}, "demo-secret", []string{"bad-1", "b"}, []string{"response/0", "0 token/bad_regids"}, 1, 0},
		{"all are invalid", simulator.Options{}, "demo-secret", []string{"bad-1", "bad-2"}, []string{"response/20301"}, 0, 0},
		{"a wrong secret", simulator.Options{}, "other-secret", []string{"a"}, []string{"response/21301"}, 0, 1},
		{"a success with a reason", simulator.Options{Xiaomi: simulator.XiaomiOptions{ReasonOnSuccess: true}}, "demo-secret", []string{"a"}, []string{"response/0"}, 1, 0},
		{"an unknown channel", simulator.Options{Xiaomi: simulator.XiaomiOptions{Channels: []string{"7"}}}, "demo-secret", []string{"a"}, []string{"response/27001"}, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newXiaomiPair(t, tt.opt, tt.secret)
			if got := p.said(p.Send(t.Context(), xiaomiRequest(plain, tt.tokens...))); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			p.wantReport(tt.accepted, tt.violations)
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
			p := newXiaomiPair(t, simulator.Options{}, "demo-secret")
			long := xiaomiRequest(m, "a", "b")
			long.TTL = 30 * 24 * time.Hour
			for range 2 {
				if got := p.said(p.Send(t.Context(), long)); !slices.Equal(got, []string{"response/0"}) {
					t.Errorf("got %q, want success", got)
				}
			}
			many := p.Vendor.(vendors.MixedSender)
			if got := p.said(many.SendMixed(t.Context(), []*vendors.Request{long, xiaomiRequest(m, "c")})); !slices.Equal(got, []string{"response/0"}) {
				t.Errorf("many: got %q, want success", got)
			}
			p.wantReport(3, 0)
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
		all[i] = xiaomiRequest(&push.Message{Title: fmt.Sprint("order ", i), Body: "b"}, fmt.Sprintf("t+%d", i))
	}
	x := simulator.XiaomiOptions{}
	on := func(channel string, tokens ...string) *vendors.Request {
		return xiaomiRequest(&push.Message{Title: "t", Body: "b", Channel: channel}, tokens...)
	}
	tests := []struct {
		name     string
		opt      simulator.XiaomiOptions
		rs       []*vendors.Request
		want     []string
		accepted int64
	}{
		{"as many as go", x, all, []string{"response/0"}, int64(spec.MaxMixed)},
		{"some are invalid", x, []*vendors.Request{on("", "a", "bad-1"), on("7", "bad-2", "b")}, []string{"response/0", "1 token/bad_regids", "2 token/bad_regids"}, 2},
		{"all are invalid", x, []*vendors.Request{on("", "bad-1"), on("7", "bad-2")}, []string{"response/20301"}, 0},
		{
			"a channel is over its quota", simulator.XiaomiOptions{DayQuota: 2}, []*vendors.Request{on("", "a", "b"), on("7", "c", "d")},
			[]string{"response/0", "2 token/channel_exceed_quota", "3 token/channel_exceed_quota"}, 2,
		},
		{
			"nobody knows who was over the quota", simulator.XiaomiOptions{DayQuota: 1}, []*vendors.Request{on("", "a", "b"), on("7", "c")},
			[]string{"response/0", "0 token/channel_exceed_quota/some", "1 token/channel_exceed_quota/some", "2 token/channel_exceed_quota"}, 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newXiaomiPair(t, simulator.Options{Xiaomi: tt.opt}, "demo-secret")
			if got := p.said(p.Vendor.(vendors.MixedSender).SendMixed(t.Context(), tt.rs)); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			p.wantReport(tt.accepted, 0)
			if got := p.Report().Vendors["xiaomi"].Requests; got != 1 {
				t.Errorf("got %d requests, want 1", got)
			}
		})
	}
}

// A phone shows the first message with a jobkey only; the vendor takes them all.
func TestXiaomiShowsARepeatedMessageOnce(t *testing.T) {
	t.Parallel()
	p := newXiaomiPair(t, simulator.Options{}, "demo-secret")
	m := &push.Message{Title: "t", Body: "b"}
	send := func(key string, many bool, tokens ...string) {
		t.Helper()
		r := xiaomiRequest(m, tokens...)
		r.Key = key
		var got []string
		if many {
			got = p.said(p.Vendor.(vendors.MixedSender).SendMixed(t.Context(), []*vendors.Request{r}))
		} else {
			got = p.said(p.Send(t.Context(), r))
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
	p.wantReport(6, 0)
}

func TestXiaomiAdapterMeetsItsLimits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := newXiaomiPair(t, simulator.Options{Now: func() time.Time { return now }, Rate: 2, Xiaomi: simulator.XiaomiOptions{DayQuota: 10}}, "demo-secret")
	r := xiaomiRequest(&push.Message{Title: "t", Body: "b"}, "a", "b")
	for i, want := range []string{"response/0", "response/0", "response/200002"} {
		if got := p.said(p.Send(t.Context(), r)); got[0] != want {
			t.Errorf("request %d: got %s, want %s", i+1, got, want)
		}
	}
	p.wantReport(2, 0) // the second request had the key of the first

	p = newXiaomiPair(t, simulator.Options{Xiaomi: simulator.XiaomiOptions{DayQuota: 2}}, "demo-secret")
	for i, want := range []string{"response/0", "response/200001"} {
		if got := p.said(p.Send(t.Context(), r)); got[0] != want {
			t.Errorf("request %d of the day: got %s, want %s", i+1, got, want)
		}
	}
	p.wantReport(2, 0)
}

func TestXiaomiAdapterReadsFaults(t *testing.T) {
	t.Parallel()
	p := newXiaomiPair(t, simulator.Options{}, "demo-secret")
	for code, want := range map[string]string{"20301": "response/20301", "20301/other": "response/20301/other", "10002": "response/10002", "66007": "response/66007/one"} {
		if err := p.SetFaults([]simulator.Fault{{Vendor: "xiaomi", Code: code}}); err != nil {
			t.Fatal(err)
		}
		a, err := p.Send(t.Context(), xiaomiRequest(&push.Message{Title: "t", Body: "b"}, "a"))
		if got := p.said(a, err); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %q, want %s", code, got, want)
		}
	}
}
