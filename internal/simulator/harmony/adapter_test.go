package harmony_test

import (
	"encoding/json"
	"testing"

	player "github.com/postrider/postrider/internal/simulator/harmony"
	"github.com/postrider/postrider/internal/simulator/play"
	"github.com/postrider/postrider/internal/simulator/playtest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/harmony"
)

// newAdapter opens the adapter with the demo's settings, changed by some.
func newAdapter(t *testing.T, o play.Options, own player.Options, changes ...func(*harmony.Settings)) playtest.Adapter {
	t.Helper()
	return playtest.NewAdapter(t, o, player.New(own), playtest.DemoSettings(t, harmony.Spec(), changes...))
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
			"harmony": json.RawMessage(`{"pushOptions":{"collapseKey":0}}`),
		},
	}
}

func TestHarmonyAdapterAndSimulatorAgree(t *testing.T) {
	t.Parallel()
	plain := &push.Message{Title: "t", Body: "b"}
	tests := []struct {
		name   string
		opt    player.Options
		m      *push.Message
		tokens []string
		want   string
	}{
		{"a full batch", player.Options{}, plain, playtest.Numbered("token-%04d", 1000), "response/80000000"},
		{"everything that a message can have", player.Options{}, fullMessage(), playtest.Numbered("token-%04d", 10), "response/80000000"},
		{"an app's page", player.Options{}, &push.Message{Title: "t", Body: "b", Click: &push.Click{Action: push.ClickActivity, Target: "a"}}, playtest.Numbered("token-%04d", 1), "response/80000000"},
		{"a marketing message", player.Options{}, &push.Message{Title: "t", Body: "b", Class: push.Marketing}, playtest.Numbered("token-%04d", 1), "response/80000000"},
		{"a data message", player.Options{}, &push.Message{Kind: push.Data, Data: map[string]string{"k": "v"}}, playtest.Numbered("token-%04d", 3), "response/80000000"},
		{"a data message without data", player.Options{}, &push.Message{Kind: push.Data}, playtest.Numbered("token-%04d", 3), "response/80000000"},
		{"some invalid", player.Options{}, plain, []string{"a", "bad-1", "noRight-1", "b"}, "response/80100000 1 token/tokenFormatError 2 token/noRight"},
		{"some invalid, without spaces and under 400", player.Options{PlainReasons: true, InvalidStatus: 400}, plain, []string{"a", "appinfoError-1"}, "response/80100000 1 token/appinfoError"},
		{"all invalid", player.Options{}, plain, []string{"bad-1", "noRight-1"}, "response/80300007 0 token/tokenFormatError 1 token/noRight"},
		{"all invalid in words", player.Options{PlainInvalid: true}, plain, []string{"bad-1", "bad-2"}, "response/80300007"},
		{"too many for a test", player.Options{}, &push.Message{Title: "t", Body: "b", Test: true}, playtest.Numbered("token-%04d", 11), "response/80300030"},
		{"an image that was not verified", player.Options{UnverifiedImages: true}, fullMessage(), playtest.Numbered("token-%04d", 1), "response/80100022"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAdapter(t, play.Options{}, tt.opt)
			if faults := harmony.Spec().Check(tt.m); len(faults) > 0 {
				t.Fatal(faults)
			}
			if got := a.Outcome(tt.m, tt.tokens...); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			a.WantViolations(0)
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
			a := newAdapter(t, play.Options{}, player.Options{}, tt.change)
			if got := a.Outcome(plain, "a"); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			a.WantViolations(1)
		})
	}
	t.Run("over the rate", func(t *testing.T) {
		t.Parallel()
		a := newAdapter(t, play.Options{Rate: 1}, player.Options{})
		if got := a.Outcome(plain, "a", "b") + " " + a.Outcome(plain, "c"); got != "response/80000000 http/503" {
			t.Errorf("got %s", got)
		}
		a.WantViolations(0)
	})
}

// The adapter reads the code of a fault, which comes in the vendor's own form.
func TestHarmonyAdapterReadsFaults(t *testing.T) {
	t.Parallel()
	a := newAdapter(t, play.Options{}, player.Options{})
	for _, tt := range []struct {
		fault play.Fault
		want  string
	}{
		{play.Fault{Vendor: "harmony", Endpoint: "send", Code: "80300037", Times: 1}, "response/80300037"},
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
