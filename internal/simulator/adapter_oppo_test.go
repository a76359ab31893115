package simulator_test

import (
	"context"
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
	"github.com/postrider/postrider/pkg/vendors/oppo"
)

// signedPair is a real adapter that fetches access tokens and saves messages,
// in front of the simulator.
type signedPair struct {
	*simulator.Simulator
	vendors.Vendor
	t    *testing.T
	name string
	now  func() time.Time
}

func newSignedPair(t *testing.T, name string, o simulator.Options, settings func(base string) vendors.Settings) signedPair {
	t.Helper()
	s := simulator.New(o)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client := httpx.NewClient(8)
	t.Cleanup(client.CloseIdleConnections)
	own := settings(server.URL)
	if faults := own.Faults(); len(faults) > 0 {
		t.Fatal(faults)
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	return signedPair{s, own.Open(client), t, name, now}
}

func newOppoPair(t *testing.T, o simulator.Options, secret string) signedPair {
	t.Helper()
	return newSignedPair(t, "oppo", o, func(base string) vendors.Settings {
		return &oppo.Settings{AppKey: "100001", MasterSecret: vendors.NewSecret(secret), BaseURL: base, FeedbackURL: base}
	})
}

// request is ready to be sent: with an access token, and saved where it has to be.
func (p signedPair) request(m *push.Message, tokens ...string) *vendors.Request {
	p.t.Helper()
	r := &vendors.Request{Message: m, Tokens: tokens, TTL: time.Hour, Key: "0123456789abcdef0123456789abcdef", Now: p.now()}
	grant, err := p.Vendor.(vendors.Granter).Grant(p.t.Context(), p.now())
	if err != nil {
		p.t.Fatal(err)
	}
	r.Access = grant.Access
	p.save(r)
	return r
}

func (p signedPair) save(r *vendors.Request) {
	p.t.Helper()
	saver := p.Vendor.(vendors.Uploader)
	if !saver.NeedsUpload(r) {
		return
	}
	saved, err := saver.Upload(p.t.Context(), r)
	if err != nil {
		p.t.Fatal(err)
	}
	r.UploadID = saved.ID
}

// said is an answer in words: its code, then those of tokens; or the error's code.
func (p signedPair) said(a vendors.Answer, err error) []string {
	p.t.Helper()
	if err != nil {
		return []string{err.Error()}
	}
	list := []string{a.Code.String()}
	for _, tc := range a.Tokens {
		list = append(list, fmt.Sprint(tc.Index, " ", tc.Code))
	}
	return list
}

func (p signedPair) wantReport(accepted, violations int64) {
	p.t.Helper()
	r := p.Report()
	v := r.Vendors[p.name]
	if v.Accepted != accepted || r.Violations() != violations {
		p.t.Errorf("got %d accepted and %d violations, want %d and %d: %v %v", v.Accepted, r.Violations(), accepted, violations, v.Violations, r.Strays)
	}
}

func manyTokens(format string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return all
}

func TestOppoAdapterAgainstTheSimulator(t *testing.T) {
	t.Parallel()
	service := &push.Message{Title: "Shipped", Body: "您的订单 42 已发货 🚚 & 100% +"}
	marketing := &push.Message{Class: push.Marketing, Title: "Sale & more", Body: "50% off + gifts"}
	full := manyTokens("CN_%032d", 1000)
	x := simulator.OppoOptions{}
	tests := []struct {
		name     string
		opt      simulator.OppoOptions
		m        *push.Message
		tokens   []string
		want     []string
		accepted int64
		endpoint string
	}{
		{"a full batch", x, service, full, []string{"response/0"}, 1000, "unicast_batch"},
		{"a full broadcast", x, marketing, full, []string{"response/0"}, 1000, "broadcast"},
		{"one token", x, service, full[:1], []string{"response/0"}, 1, "unicast"},
		{"a broadcast to one", x, marketing, full[:1], []string{"response/0"}, 1, "broadcast"},
		{"one invalid token", x, service, []string{"bad-1"}, []string{"response/10000"}, 0, "unicast"},
		{"one token that is switched off", x, service, []string{"off-1"}, []string{"response/10001"}, 0, "unicast"},
		{"some of a batch", x, service, []string{"a", "bad-1", "b", "off-2"}, []string{"response/0", "1 token/10000", "3 token/10001"}, 2, "unicast_batch"},
		{"some of a batch in another order", simulator.OppoOptions{Shuffled: true}, service, []string{"a", "bad-1", "b"}, []string{"response/0", "1 token/10000"}, 2, "unicast_batch"},
		{"some of a broadcast", x, marketing, []string{"a", "bad-1", "off-2", "bad-3"}, []string{"response/0", "1 token/10000", "2 token/10001", "3 token/10000"}, 1, "broadcast"},
		{"some of a broadcast, as text", simulator.OppoOptions{TextBuckets: true, TextCodes: true}, marketing, []string{"a", "bad-1", "bad-2"}, []string{"response/0", "1 token/10000", "2 token/10000"}, 1, "broadcast"},
		{"all of a batch", x, service, []string{"bad-1", "bad-2"}, []string{"response/0", "0 token/10000", "1 token/10000"}, 0, "unicast_batch"},
		{"all of a broadcast", x, marketing, []string{"bad-1", "bad-2"}, []string{"response/0", "0 token/10000", "1 token/10000"}, 0, "broadcast"},
		{"all of a broadcast, said at the top", simulator.OppoOptions{AllInvalidAtTop: true}, marketing, []string{"bad-1", "bad-2"}, []string{"response/10000"}, 0, "broadcast"},
		{"a day's quota within a batch", simulator.OppoOptions{DayMessages: 1}, service, []string{"a", "b"}, []string{"response/0", "1 token/33"}, 1, "unicast_batch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newOppoPair(t, simulator.Options{Oppo: tt.opt}, "demo-secret")
			if got := p.said(p.Send(t.Context(), p.request(tt.m, tt.tokens...))); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			p.wantReport(tt.accepted, 0)
			if got := p.Report().Vendors["oppo"].Endpoints[tt.endpoint]; got != 1 {
				t.Errorf("got %d requests to %s, want 1", got, tt.endpoint)
			}
		})
	}
}

func TestOppoAdapterSendsWhatTheVendorTakes(t *testing.T) {
	t.Parallel()
	override := map[string]json.RawMessage{"oppo": json.RawMessage(`{"sub_title":"s","network_type":1,"show_ttl":3600,"call_back_url":"https://ours.example/r?a=1&b=2","call_back_parameter":"p"}`)}
	messages := map[string]push.Message{
		"everything": {
			Category: "ORDER", Channel: "orders", Title: "<t> & \"t\"", Body: "字+%", Data: map[string]string{"k": "100%+&="},
			Click: &push.Click{Action: push.ClickURL, Target: "https://shop.example/?a=1&b=2"}, CollapseID: "c", Overrides: override,
		},
		"a long text": {Title: "t", Body: strings.Repeat("汉", 128)},
		"an intent":   {Title: "t", Body: "b", Click: &push.Click{Action: push.ClickIntent, Target: "intent:#Intent;end"}},
		"an activity": {Title: "t", Body: "b", Click: &push.Click{Action: push.ClickActivity, Target: "com.x.A"}},
		"numbers":     {Title: "42", Body: "true", Channel: "7", Data: map[string]string{"1": "2"}, Category: "NEWS"},
	}
	for name, m := range messages {
		for _, class := range []push.Class{push.Service, push.Marketing} {
			t.Run(name+" "+string(class), func(t *testing.T) {
				t.Parallel()
				m := m // one for each of the parallel tests
				m.Class = class
				if faults := oppo.Spec().Check(&m); len(faults) > 0 {
					t.Fatal(faults)
				}
				p := newOppoPair(t, simulator.Options{}, "demo-secret")
				for _, tokens := range [][]string{{"a"}, {"b", "c&d=%\"\\"}} {
					r := p.request(&m, tokens...)
					r.TTL = 30 * 24 * time.Hour
					if got := p.said(p.Send(t.Context(), r)); !slices.Equal(got, []string{"response/0"}) {
						t.Errorf("got %q, want success", got)
					}
				}
				p.wantReport(3, 0)
			})
		}
	}
}

func TestOppoAdapterSendsManyMessages(t *testing.T) {
	t.Parallel()
	p := newOppoPair(t, simulator.Options{}, "demo-secret")
	first := p.request(&push.Message{Title: "first", Body: "b"}, "CN_0")
	all := []*vendors.Request{first}
	for i := 1; i < oppo.Spec().MaxMixed-2; i++ {
		r := *first
		r.Message, r.Tokens, r.Key = &push.Message{Title: fmt.Sprint("order ", i), Body: "b"}, []string{fmt.Sprintf("CN_%d", i)}, fmt.Sprintf("%032d", i)
		all = append(all, &r)
	}
	twice := *first // another message to a phone that has one already
	twice.Key, twice.Tokens = strings.Repeat("f", 32), []string{"CN_0", "bad-1"}
	all = append(all, &twice)
	got := p.said(p.Vendor.(vendors.MixedSender).SendMixed(t.Context(), all))
	if want := []string{"response/0", fmt.Sprintf("%d token/10000", len(all))}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	p.wantReport(int64(len(all)), 0)
	if n := p.Count("oppo", "CN_0"); n != 2 {
		t.Errorf("CN_0 got %d messages, want 2", n)
	}
}

func TestOppoDeliversARepeatedUnicastOnce(t *testing.T) {
	t.Parallel()
	p := newOppoPair(t, simulator.Options{}, "demo-secret")
	r := p.request(&push.Message{Title: "t", Body: "b"}, "a", "b")
	for range 3 {
		if got := p.said(p.Send(t.Context(), r)); !slices.Equal(got, []string{"response/0"}) {
			t.Errorf("got %q, want success", got)
		}
		r.TTL -= time.Minute
	}
	r.Key = strings.Repeat("f", 32)
	if got := p.said(p.Send(t.Context(), r)); !slices.Equal(got, []string{"response/0"}) {
		t.Errorf("got %q, want success", got)
	}
	p.wantReport(4, 0)
	if got := p.Report().Vendors["oppo"].Swallowed; got != 4 {
		t.Errorf("%d tokens had the message before, want 4", got)
	}
}

func TestOppoSavesOnceAndSaysWhenThatIsGone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	o := simulator.Options{Now: clock, TokenLife: 1000 * time.Hour, Oppo: simulator.OppoOptions{SavedLife: time.Hour, DaySaves: 2}}
	p := newOppoPair(t, o, "demo-secret")
	r := p.request(&push.Message{Class: push.Marketing, Title: "t", Body: "b"}, "a")
	first := r.UploadID
	r.UploadID = ""
	if p.save(r); r.UploadID != first {
		t.Errorf("saved again it is %s, want %s", r.UploadID, first)
	}
	now = now.Add(time.Hour)
	gone, err := p.Send(t.Context(), r)
	if err != nil || !gone.UploadGone || gone.Code.String() != "response/31" {
		t.Errorf("got %+v (%v), want response/31 and SavedGone", gone, err)
	}
	if p.save(r); r.UploadID == first {
		t.Error("saved in place of what was lost it is the same")
	}
	if got := p.said(p.Send(t.Context(), r)); !slices.Equal(got, []string{"response/0"}) {
		t.Errorf("got %q, want success", got)
	}
	r.Key = strings.Repeat("f", 32)
	_, err = p.Vendor.(vendors.Uploader).Upload(t.Context(), r)
	if err == nil || !strings.Contains(err.Error(), "response/42") {
		t.Errorf("got %v, want response/42", err)
	}
	p.wantReport(1, 0)
}

func TestOppoAdapterIsRefused(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	wrong := newOppoPair(t, simulator.Options{Now: clock}, "other-secret")
	grant := func(p signedPair, at time.Time) string {
		_, err := p.Vendor.(vendors.Granter).Grant(context.WithoutCancel(t.Context()), at)
		return fmt.Sprint(err)
	}
	if got := grant(wrong, now); !strings.Contains(got, "auth/16") {
		t.Errorf("a wrong secret: got %s, want auth/16", got)
	}
	wrong.wantReport(0, 1)

	p := newOppoPair(t, simulator.Options{Now: clock, Rate: 3}, "demo-secret")
	if got := grant(p, now.Add(10*time.Minute+time.Millisecond)); !strings.Contains(got, "auth/19") {
		t.Errorf("a clock that is off: got %s, want auth/19", got)
	}
	p.Reset()
	r := p.request(&push.Message{Title: "t", Body: "b"}, "a", "b", "c")
	for i, want := range []string{"response/0", "response/13"} {
		if got := p.said(p.Send(t.Context(), r)); got[0] != want {
			t.Errorf("request %d: got %s, want %s", i+1, got, want)
		}
	}
	p.RevokeAccessTokens("oppo")
	now = now.Add(time.Second)
	if got := p.said(p.Send(t.Context(), r)); got[0] != "response/11" {
		t.Errorf("a revoked access token: got %s, want response/11", got)
	}
	p.wantReport(3, 0)
}
