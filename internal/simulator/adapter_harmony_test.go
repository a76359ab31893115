package simulator_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/harmony"
	"github.com/postrider/postrider/pkg/vendors/honor"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// huaweiFamily is a simulator of HarmonyOS's and Honor's sides, and the demo's
// settings for it.
type huaweiFamily struct {
	sim     *simulator.Simulator
	harmony harmony.Settings
	honor   honor.Settings
	open    func(s vendors.Settings) vendors.Vendor
}

func newHuaweiFamily(t *testing.T, o simulator.Options) *huaweiFamily {
	t.Helper()
	f := &huaweiFamily{sim: simulator.New(o)}
	srv := httptest.NewServer(f.sim)
	client := httpx.NewClient(4)
	t.Cleanup(func() {
		client.CloseIdleConnections()
		srv.Close()
	})
	for name, settings := range map[string]any{"harmony": &f.harmony, "honor": &f.honor} {
		text, err := os.ReadFile("../../pkg/vendors/" + name + "/demo.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(text), "%BASE%", srv.URL)), settings); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []vendors.Settings{&f.harmony, &f.honor} {
		if faults := s.Faults(); len(faults) > 0 {
			t.Fatalf("the demo's settings have faults: %v", faults)
		}
	}
	f.open = func(s vendors.Settings) vendors.Vendor { return s.Open(client) }
	return f
}

// said sends a message and writes the answer down: the request's code, then
// the tokens' own.
func said(t *testing.T, v vendors.Vendor, m *push.Message, tokens ...string) string {
	t.Helper()
	now := time.Now()
	grant, err := v.(vendors.Granter).Grant(t.Context(), now)
	var refusal *vendors.Error
	if errors.As(err, &refusal) {
		return "refused " + refusal.Code.String()
	}
	answer, err := v.Send(t.Context(), &vendors.Request{
		Message: m, Tokens: tokens, TTL: time.Hour, Key: strings.Repeat("0f", 16), Access: grant.Access, Now: now,
	})
	if errors.As(err, &refusal) {
		return "error " + refusal.Code.String()
	}
	s := answer.Code.String()
	for _, tc := range answer.Tokens {
		s += fmt.Sprintf(" %d:%s", tc.Index, tc.Code.Code)
	}
	return s
}

func numbered(n int) []string {
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("token-%04d", i)
	}
	return tokens
}

// everything is a message that uses what a vendor has.
func everything() *push.Message {
	badge := 120
	return &push.Message{
		Category: "ORDER", Channel: "orders", Title: "Shipped <now>", Body: "您的订单 42 已发货 🚚",
		Data:  map[string]string{"order": "42"},
		Click: &push.Click{Action: push.ClickURL, Target: "https://shop.example/o/42"}, CollapseID: "order-42",
		Image: "https://shop.example/42.png", Sound: "shake.mp3", Badge: &badge, Test: true,
		Overrides: map[string]json.RawMessage{
			"honor":   json.RawMessage(`{"android":{"notification":{"badge":{"badgeClass":"com.example.Main"}}}}`),
			"harmony": json.RawMessage(`{"pushOptions":{"collapseKey":0}}`),
		},
	}
}

func (f *huaweiFamily) wantViolations(t *testing.T, want int64) {
	t.Helper()
	if r := f.sim.Report(); r.Violations() != want {
		t.Errorf("got %d violations, want %d: %v %v %v", r.Violations(), want, r.Vendors["harmony"].Violations, r.Vendors["honor"].Violations, r.Strays)
	}
}

func TestHarmonyAdapterAndSimulatorAgree(t *testing.T) {
	t.Parallel()
	plain := &push.Message{Title: "t", Body: "b"}
	tests := []struct {
		name   string
		opt    simulator.HarmonyOptions
		m      *push.Message
		tokens []string
		want   string
	}{
		{"a full batch", simulator.HarmonyOptions{}, plain, numbered(1000), "response/80000000"},
		{"everything that a message can have", simulator.HarmonyOptions{}, everything(), numbered(10), "response/80000000"},
		{"an app's page", simulator.HarmonyOptions{}, &push.Message{Title: "t", Body: "b", Click: &push.Click{Action: push.ClickActivity, Target: "a"}}, numbered(1), "response/80000000"},
		{"a marketing message", simulator.HarmonyOptions{}, &push.Message{Title: "t", Body: "b", Class: push.Marketing}, numbered(1), "response/80000000"},
		{"a data message", simulator.HarmonyOptions{}, &push.Message{Kind: push.Data, Data: map[string]string{"k": "v"}}, numbered(3), "response/80000000"},
		{"a data message without data", simulator.HarmonyOptions{}, &push.Message{Kind: push.Data}, numbered(3), "response/80000000"},
		{"some invalid", simulator.HarmonyOptions{}, plain, []string{"a", "bad-1", "noRight-1", "b"}, "response/80100000 1:tokenFormatError 2:noRight"},
		{"some invalid, without blanks and under 400", simulator.HarmonyOptions{PlainReasons: true, InvalidStatus: 400}, plain, []string{"a", "appinfoError-1"}, "response/80100000 1:appinfoError"},
		{"all invalid", simulator.HarmonyOptions{}, plain, []string{"bad-1", "noRight-1"}, "response/80300007 0:tokenFormatError 1:noRight"},
		{"all invalid in words", simulator.HarmonyOptions{PlainInvalid: true}, plain, []string{"bad-1", "bad-2"}, "response/80300007"},
		{"too many for a test", simulator.HarmonyOptions{}, &push.Message{Title: "t", Body: "b", Test: true}, numbered(11), "response/80300030"},
		{"an image that was not verified", simulator.HarmonyOptions{UnverifiedImages: true}, everything(), numbered(1), "response/80100022"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newHuaweiFamily(t, simulator.Options{Harmony: tt.opt})
			if faults := harmony.Spec().Check(tt.m); len(faults) > 0 {
				t.Fatal(faults)
			}
			if got := said(t, f.open(&f.harmony), tt.m, tt.tokens...); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			f.wantViolations(t, 0)
		})
	}
}

func TestHarmonyAdapterMeetsRefusals(t *testing.T) {
	t.Parallel()
	plain := &push.Message{Title: "t", Body: "b"}
	tests := []struct {
		name   string
		change func(s *harmony.Settings)
		want   string
	}{
		{"another key id", func(s *harmony.Settings) { s.KeyID = "other" }, "response/80200001"},
		{"another account", func(s *harmony.Settings) { s.SubAccount = "other" }, "response/80200001"},
		{"another project", func(s *harmony.Settings) { s.ProjectID = "other" }, "http/404"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newHuaweiFamily(t, simulator.Options{})
			tt.change(&f.harmony)
			if got := said(t, f.open(&f.harmony), plain, "a"); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			f.wantViolations(t, 1)
		})
	}
	t.Run("over the rate", func(t *testing.T) {
		t.Parallel()
		f := newHuaweiFamily(t, simulator.Options{Rate: 1})
		v := f.open(&f.harmony)
		if got := said(t, v, plain, "a", "b") + " " + said(t, v, plain, "c"); got != "response/80000000 http/503" {
			t.Errorf("got %s", got)
		}
		f.wantViolations(t, 0)
	})
}

func TestHonorAdapterAndSimulatorAgree(t *testing.T) {
	t.Parallel()
	plain := &push.Message{Title: "t", Body: "b"}
	tests := []struct {
		name   string
		opt    simulator.HonorOptions
		m      *push.Message
		tokens []string
		want   string
	}{
		{"a full batch", simulator.HonorOptions{}, plain, numbered(1000), "response/200"},
		{"everything that a message can have", simulator.HonorOptions{}, everything(), numbered(10), "response/200"},
		{"an app's page", simulator.HonorOptions{}, &push.Message{Title: "t", Body: "b", Click: &push.Click{Action: push.ClickActivity, Target: "a"}}, numbered(1), "response/200"},
		{"a marketing message", simulator.HonorOptions{}, &push.Message{Title: "t", Body: "b", Class: push.Marketing}, numbered(1), "response/200"},
		{"a data message", simulator.HonorOptions{}, &push.Message{Kind: push.Data, Data: map[string]string{"k": "v"}}, numbered(3), "response/200"},
		{"a data message without data", simulator.HonorOptions{}, &push.Message{Kind: push.Data}, numbered(3), "response/200"},
		{"some invalid", simulator.HonorOptions{}, plain, []string{"a", "bad-1", "fail-1", "b"}, "response/80100000 1:expireTokens 2:failTokens"},
		{"some invalid, not sent", simulator.HonorOptions{NotSent: true}, plain, []string{"a", "fail-1"}, "response/80100000 1:failTokens"},
		{"some invalid under success", simulator.HonorOptions{ListsUnderSuccess: true}, plain, []string{"a", "bad-1"}, "response/200 1:expireTokens"},
		{"some invalid under success, not sent", simulator.HonorOptions{ListsUnderSuccess: true, NotSent: true}, plain, []string{"a", "bad-1"}, "response/200 1:expireTokens"},
		{"all invalid", simulator.HonorOptions{}, plain, []string{"bad-1", "bad-2"}, "response/80300007"},
		{"all invalid with lists", simulator.HonorOptions{ListsUnderAllInvalid: true}, plain, []string{"bad-1", "bad-2"}, "response/80300007"},
		{"all failed", simulator.HonorOptions{}, plain, []string{"fail-1"}, "response/80100000 0:failTokens"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newHuaweiFamily(t, simulator.Options{Honor: tt.opt})
			if faults := honor.Spec().Check(tt.m); len(faults) > 0 {
				t.Fatal(faults)
			}
			if got := said(t, f.open(&f.honor), tt.m, tt.tokens...); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			f.wantViolations(t, 0)
		})
	}
}

func TestHonorAdapterMeetsRefusals(t *testing.T) {
	t.Parallel()
	plain := &push.Message{Title: "t", Body: "b"}
	tests := []struct {
		name   string
		opt    simulator.HonorOptions
		change func(s *honor.Settings)
		want   string
	}{
		{"another secret", simulator.HonorOptions{}, func(s *honor.Settings) { s.ClientSecret = vendors.NewSecret("other") }, "refused auth/unauthorized_client"},
		{"another client under 400", simulator.HonorOptions{DenialStatus: 400}, func(s *honor.Settings) { s.ClientID = "other" }, "refused auth/unauthorized_client"},
		{"another app", simulator.HonorOptions{}, func(s *honor.Settings) { s.AppID = "other" }, "response/10205"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newHuaweiFamily(t, simulator.Options{Honor: tt.opt})
			tt.change(&f.honor)
			if got := said(t, f.open(&f.honor), plain, "a"); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			f.wantViolations(t, 1)
		})
	}
	t.Run("over the rate", func(t *testing.T) {
		t.Parallel()
		f := newHuaweiFamily(t, simulator.Options{Rate: 1})
		v := f.open(&f.honor)
		if got := said(t, v, plain, "a", "b") + " " + said(t, v, plain, "c"); got != "response/200 response/80200021" {
			t.Errorf("got %s", got)
		}
		f.wantViolations(t, 0)
	})
}

// A fault's code comes in each vendor's own envelope.
func TestFaultCodesReachTheAdapters(t *testing.T) {
	t.Parallel()
	f := newHuaweiFamily(t, simulator.Options{})
	plain := &push.Message{Title: "t", Body: "b"}
	for _, tt := range []struct {
		fault simulator.Fault
		s     vendors.Settings
		want  string
	}{
		{simulator.Fault{Vendor: "harmony", Endpoint: "send", Code: "80300037", Times: 1}, &f.harmony, "response/80300037"},
		{simulator.Fault{Vendor: "honor", Endpoint: "send", Code: "80200021", Times: 1}, &f.honor, "response/80200021"},
		{simulator.Fault{Vendor: "honor", Endpoint: "send", Code: "403", Times: 1}, &f.honor, "response/403"},
		{simulator.Fault{Vendor: "honor", Endpoint: "token", Code: "invalid_client", Times: 1}, &f.honor, "refused auth/invalid_client"},
	} {
		if err := f.sim.SetFaults([]simulator.Fault{tt.fault}); err != nil {
			t.Fatal(err)
		}
		if got := said(t, f.open(tt.s), plain, "a"); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
	f.wantViolations(t, 0)
}
