package honor_test

import (
	"encoding/json"
	"testing"

	player "github.com/postrider/postrider/internal/simulator/honor"
	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/honor"
)

// newAdapter opens the adapter with the demo's settings, changed by some.
func newAdapter(t *testing.T, o play.Options, own player.Options, changes ...func(*honor.Settings)) playtest.Adapter {
	t.Helper()
	return playtest.NewAdapter(t, o, player.New(own), playtest.DemoSettings(t, honor.Spec(), changes...))
}

// fullMessage is a message with everything that the vendor supports.
func fullMessage() *push.Message {
	badge := 120
	return &push.Message{
		Category: "ORDER", Channel: "orders", Title: "Shipped <now>", Body: "您的订单 42 已发货 🚚",
		Data:  map[string]string{"order": "42"},
		Click: &push.Click{Action: push.ClickURL, Target: "https://shop.example/o/42"}, CollapseID: "order-42",
		Image: "https://shop.example/42.png", Sound: "shake.mp3", Badge: &badge, Test: true,
		Overrides: map[string]json.RawMessage{
			"honor": json.RawMessage(`{"android":{"notification":{"badge":{"badgeClass":"com.example.Main"}}}}`),
		},
	}
}

func TestHonorAdapterAndSimulatorAgree(t *testing.T) {
	t.Parallel()
	plain := &push.Message{Title: "t", Body: "b"}
	tests := []struct {
		name   string
		opt    player.Options
		m      *push.Message
		tokens []string
		want   string
	}{
		{"a full batch", player.Options{}, plain, playtest.Numbered("token-%04d", 1000), "response/200"},
		{"everything that a message can have", player.Options{}, fullMessage(), playtest.Numbered("token-%04d", 10), "response/200"},
		{"an app's page", player.Options{}, &push.Message{Title: "t", Body: "b", Click: &push.Click{Action: push.ClickActivity, Target: "a"}}, playtest.Numbered("token-%04d", 1), "response/200"},
		{"a marketing message", player.Options{}, &push.Message{Title: "t", Body: "b", Class: push.Marketing}, playtest.Numbered("token-%04d", 1), "response/200"},
		{"a data message", player.Options{}, &push.Message{Kind: push.Data, Data: map[string]string{"k": "v"}}, playtest.Numbered("token-%04d", 3), "response/200"},
		{"a data message without data", player.Options{}, &push.Message{Kind: push.Data}, playtest.Numbered("token-%04d", 3), "response/200"},
		{"some invalid", player.Options{}, plain, []string{"a", "bad-1", "fail-1", "b"}, "response/80100000 1 token/expireTokens 2 token/failTokens"},
		{"some invalid, not sent", player.Options{NotSent: true}, plain, []string{"a", "fail-1"}, "response/80100000 1 token/failTokens"},
		{"some invalid under success", player.Options{ListsUnderSuccess: true}, plain, []string{"a", "bad-1"}, "response/200 1 token/expireTokens"},
		{"some invalid under success, not sent", player.Options{ListsUnderSuccess: true, NotSent: true}, plain, []string{"a", "bad-1"}, "response/200 1 token/expireTokens"},
		{"all invalid", player.Options{}, plain, []string{"bad-1", "bad-2"}, "response/80300007"},
		{"all invalid with lists", player.Options{ListsUnderAllInvalid: true}, plain, []string{"bad-1", "bad-2"}, "response/80300007"},
		{"all failed", player.Options{}, plain, []string{"fail-1"}, "response/80100000 0 token/failTokens"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAdapter(t, play.Options{}, tt.opt)
			if faults := honor.Spec().Check(tt.m); len(faults) > 0 {
				t.Fatal(faults)
			}
			if got := a.Outcome(tt.m, tt.tokens...); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			a.WantViolations(0)
		})
	}
}

func TestHonorAdapterMeetsRefusals(t *testing.T) {
	t.Parallel()
	plain := &push.Message{Title: "t", Body: "b"}
	tests := []struct {
		name   string
		opt    player.Options
		change func(s *honor.Settings)
		want   string
	}{
		{"another secret", player.Options{}, func(s *honor.Settings) { s.ClientSecret = vendors.NewSecret("other") }, "refused auth/unauthorized_client"},
		{"another client under 400", player.Options{DenialStatus: 400}, func(s *honor.Settings) { s.ClientID = "other" }, "refused auth/unauthorized_client"},
		{"another app", player.Options{}, func(s *honor.Settings) { s.AppID = "other" }, "response/10205"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAdapter(t, play.Options{}, tt.opt, tt.change)
			if got := a.Outcome(plain, "a"); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			a.WantViolations(1)
		})
	}
	t.Run("over the rate", func(t *testing.T) {
		t.Parallel()
		a := newAdapter(t, play.Options{Rate: 1}, player.Options{})
		if got := a.Outcome(plain, "a", "b") + " " + a.Outcome(plain, "c"); got != "response/200 response/80200021" {
			t.Errorf("got %s", got)
		}
		a.WantViolations(0)
	})
}

// The adapter reads the code of a fault, which comes in the vendor's own form.
func TestHonorAdapterReadsFaults(t *testing.T) {
	t.Parallel()
	a := newAdapter(t, play.Options{}, player.Options{})
	for _, tt := range []struct {
		fault play.Fault
		want  string
	}{
		{play.Fault{Vendor: "honor", Endpoint: "send", Code: "80200021", Times: 1}, "response/80200021"},
		{play.Fault{Vendor: "honor", Endpoint: "send", Code: "403", Times: 1}, "response/403"},
		{play.Fault{Vendor: "honor", Endpoint: "token", Code: "invalid_client", Times: 1}, "refused auth/invalid_client"},
	} {
		if err := a.SetFaults([]play.Fault{tt.fault}); err != nil {
			t.Fatal(err)
		}
		if got := a.Outcome(&push.Message{Title: "t", Body: "b"}, "a"); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
	a.WantViolations(0)
}
