package simulator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/vivo"
)

func newVivoPair(t *testing.T, o simulator.Options, secret string) signedPair {
	t.Helper()
	return newSignedPair(t, "vivo", o, func(base string) vendors.Settings {
		return &vivo.Settings{AppID: 100001, AppKey: "100001", AppSecret: vendors.NewSecret(secret), BaseURL: base}
	})
}

func TestVivoAdapterAgainstTheSimulator(t *testing.T) {
	t.Parallel()
	m := &push.Message{Title: "Shipped", Body: "您的订单 42 已发货 🚚"}
	test := &push.Message{Title: "Shipped", Body: "b", Test: true}
	full := manyTokens("v2-%020d", 1000)
	x := simulator.VivoOptions{}
	tests := []struct {
		name     string
		opt      simulator.VivoOptions
		m        *push.Message
		tokens   []string
		want     []string
		accepted int64
		endpoint string
	}{
		{"a full list", x, m, full, []string{"response/0"}, 1000, "list"},
		{"a list of two", x, m, full[:2], []string{"response/0"}, 2, "list"},
		{"one token", x, m, full[:1], []string{"response/0"}, 1, "send"},
		{"one invalid token", x, m, []string{"bad-1"}, []string{"response/10302", "0 token/1"}, 0, "send"},
		{"one invalid token under 0", simulator.VivoOptions{InvalidSucceeds: true}, m, []string{"gone-1"}, []string{"response/0", "0 token/2"}, 0, "send"},
		{"one phone that cannot be reached", x, m, []string{"off-1"}, []string{"response/10311"}, 0, "send"},
		{"some of a list", x, m, []string{"a", "bad-1", "gone-2", "b", "removed-3", "strange-4"}, []string{"response/0", "1 token/1", "2 token/2", "4 token/3", "5 token/4"}, 2, "list"},
		{"all of a list", x, m, []string{"bad-1", "bad-2"}, []string{"response/10302", "0 token/1", "1 token/1"}, 0, "list"},
		{"all of a list, unnamed", simulator.VivoOptions{AllInvalidUnnamed: true}, m, []string{"bad-1", "bad-2"}, []string{"response/10302"}, 0, "list"},
		{"all of a list, under 0", simulator.VivoOptions{AllInvalidSucceeds: true}, m, []string{"bad-1", "bad-2"}, []string{"response/0", "0 token/1", "1 token/1"}, 0, "list"},
		{"a test message to one", x, test, []string{"test-1"}, []string{"response/0"}, 1, "send"},
		{"a test message to others", x, test, []string{"test-1", "a"}, []string{"response/0", "1 token/4"}, 1, "list"},
		{"a title as wide as vivo allows", simulator.VivoOptions{Width: true}, &push.Message{Title: strings.Repeat("汉", 20), Body: strings.Repeat("，", 50)}, full[:2], []string{"response/0"}, 2, "list"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newVivoPair(t, simulator.Options{Vivo: tt.opt}, "demo-secret")
			if got := p.said(p.Send(t.Context(), p.request(tt.m, tt.tokens...))); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			p.wantReport(tt.accepted, 0)
			if got := p.Report().Vendors["vivo"].Endpoints[tt.endpoint]; got != 1 {
				t.Errorf("got %d requests to %s, want 1", got, tt.endpoint)
			}
		})
	}
}

func TestVivoAdapterSendsWhatTheVendorTakes(t *testing.T) {
	t.Parallel()
	override := map[string]json.RawMessage{"vivo": json.RawMessage(`{"notifyType":1,"networkType":1,"sendOnline":true,"extra":{"callback.id":"7"}}`)}
	messages := map[string]push.Message{
		"everything": {
			Category: "ORDER", Channel: "orders", Title: "<t> & \"t\"", Body: "字", Data: map[string]string{"k": "v"},
			Click: &push.Click{Action: push.ClickURL, Target: "https://shop.example/?a=1&b=2"}, CollapseID: "c", Overrides: override,
		},
		"an intent":   {Title: "t", Body: "b", Click: &push.Click{Action: push.ClickIntent, Target: "intent:#Intent;end"}},
		"an activity": {Title: "t", Body: "b", Category: "NEWS", Click: &push.Click{Action: push.ClickActivity, Target: "com.x.A"}},
	}
	for name, m := range messages {
		for _, class := range []push.Class{push.Service, push.Marketing} {
			for _, ttl := range []time.Duration{time.Second, 30 * 24 * time.Hour} {
				t.Run(fmt.Sprint(name, " ", class, " ", ttl), func(t *testing.T) {
					t.Parallel()
					m := m // one for each of the parallel tests
					m.Class = class
					if faults := vivo.Spec().Check(&m); len(faults) > 0 {
						t.Fatal(faults)
					}
					p := newVivoPair(t, simulator.Options{}, "demo-secret")
					for _, tokens := range [][]string{{"a"}, {"b", "c\"\\"}} {
						r := p.request(&m, tokens...)
						r.TTL, r.UploadID = ttl, ""
						r.Key = strings.Repeat("f", 32)
						p.save(r)
						if got := p.said(p.Send(t.Context(), r)); !slices.Equal(got, []string{"response/0"}) {
							t.Errorf("got %q, want success", got)
						}
					}
					p.wantReport(3, 0)
				})
			}
		}
	}
}

func TestVivoDeliversARepeatedRequestOnce(t *testing.T) {
	t.Parallel()
	p := newVivoPair(t, simulator.Options{}, "demo-secret")
	m := &push.Message{Title: "t", Body: "b"}
	one, list := p.request(m, "a"), p.request(m, "b", "c")
	for range 3 {
		for _, r := range []*vendors.Request{one, list} {
			if got := p.said(p.Send(t.Context(), r)); !slices.Equal(got, []string{"response/0"}) {
				t.Errorf("got %q, want success", got)
			}
			r.TTL -= time.Minute
		}
	}
	p.wantReport(3, 0)
	rest := *list
	rest.Tokens = []string{"d", "e"}
	if got := p.said(p.Send(t.Context(), &rest)); !slices.Equal(got, []string{"response/0"}) {
		t.Errorf("got %q, want success", got)
	}
	p.wantReport(5, 0)
	if got := p.Report().Vendors["vivo"].Swallowed; got != 6 {
		t.Errorf("%d tokens had the message before, want 6", got)
	}
}

func TestVivoSavesOnceAndSaysWhenThatIsGone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	o := simulator.Options{Now: clock, TokenLife: 1000 * time.Hour, Vivo: simulator.VivoOptions{DaySaves: 2}}
	p := newVivoPair(t, o, "demo-secret")
	r := p.request(&push.Message{Title: "t", Body: "b"}, "a", "b")
	first := r.UploadID
	r.UploadID = ""
	if p.save(r); r.UploadID != first {
		t.Errorf("saved again it is %s, want %s", r.UploadID, first)
	}
	now = now.Add(time.Hour)
	for saved, want := range map[string]string{first: "response/10155", "never": "response/10152"} {
		r.UploadID = saved
		gone, err := p.Send(t.Context(), r)
		if err != nil || !gone.UploadGone || gone.Code.String() != want {
			t.Errorf("got %+v (%v), want %s and SavedGone", gone, err, want)
		}
	}
	r.UploadID = first
	if p.save(r); r.UploadID == first {
		t.Error("saved in place of what was lost it is the same")
	}
	if got := p.said(p.Send(t.Context(), r)); !slices.Equal(got, []string{"response/0"}) {
		t.Errorf("got %q, want success", got)
	}
	r.Key = strings.Repeat("f", 32)
	_, err := p.Vendor.(vendors.Uploader).Upload(t.Context(), r)
	if err == nil || !strings.Contains(err.Error(), "response/10252") {
		t.Errorf("got %v, want response/10252", err)
	}
	p.wantReport(2, 0)
}

func TestVivoAdapterIsRefused(t *testing.T) {
	t.Parallel()
	night := time.Date(2026, 1, 2, 16, 4, 5, 0, time.UTC) // after midnight in Beijing
	now := night
	clock := func() time.Time { return now }
	grant := func(p signedPair, at time.Time) string {
		_, err := p.Vendor.(vendors.Granter).Grant(context.WithoutCancel(t.Context()), at)
		return fmt.Sprint(err)
	}
	wrong := newVivoPair(t, simulator.Options{Now: clock}, "other-secret")
	if got := grant(wrong, now); !strings.Contains(got, "auth/10206") {
		t.Errorf("a wrong secret: got %s, want auth/10206", got)
	}
	if got := grant(wrong, now.Add(-11*time.Minute)); !strings.Contains(got, "auth/10207") {
		t.Errorf("a clock that is off: got %s, want auth/10207", got)
	}
	wrong.wantReport(0, 2)

	p := newVivoPair(t, simulator.Options{Now: clock, Rate: 3, Vivo: simulator.VivoOptions{Hours: true, DaySystem: 3}}, "demo-secret")
	r := p.request(&push.Message{Title: "t", Body: "b"}, "a", "b", "c")
	if got := p.said(p.Send(t.Context(), r)); got[0] != "response/0" {
		t.Errorf("got %s, want success", got)
	}
	r.Tokens = r.Tokens[:2]
	if got := p.said(p.Send(t.Context(), r)); got[0] != "response/10072" {
		t.Errorf("too fast: got %s, want response/10072", got)
	}
	now = now.Add(time.Second)
	if got := p.said(p.Send(t.Context(), r)); got[0] != "response/10073" {
		t.Errorf("over the quota: got %s, want response/10073", got)
	}
	now = now.Add(time.Second)
	ad := p.request(&push.Message{Title: "t", Body: "b"}, "a")
	ad.Message = &push.Message{Class: push.Marketing, Title: "t", Body: "b"}
	if got := p.said(p.Send(t.Context(), ad)); got[0] != "response/10071" {
		t.Errorf("at night: got %s, want response/10071", got)
	}
	p.RevokeAccessTokens("vivo")
	now = now.Add(time.Second)
	if got := p.said(p.Send(t.Context(), ad)); got[0] != "response/10000" {
		t.Errorf("a revoked access token: got %s, want response/10000", got)
	}
	p.wantReport(3, 0)
}

func TestVivoGrantsTenAccessTokensASecond(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := newVivoPair(t, simulator.Options{Now: func() time.Time { return now }}, "demo-secret")
	for i := range 11 {
		_, err := p.Vendor.(vendors.Granter).Grant(t.Context(), now)
		if want := i == 10; (err != nil && strings.Contains(err.Error(), "auth/10093")) != want {
			t.Errorf("grant %d: got %v", i+1, err)
		}
	}
	p.wantReport(0, 1)
}
