package tim

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestCheckNamesTheFieldAtFault(t *testing.T) {
	t.Parallel()
	vendortest.ChecksAsAll(t, Name, check)
	over := func(s string) map[string]json.RawMessage {
		return map[string]json.RawMessage{Name: json.RawMessage(s)}
	}
	minus := -1
	tests := []struct {
		name string
		m    push.Message
		want []string
	}{
		{"a data message needs neither title nor body", push.Message{Kind: push.Data, Data: map[string]string{"k": "v"}}, nil},
		{"a badge is not negative", push.Message{Title: "t", Body: "b", Badge: &minus}, []string{"message.badge"}},
		{"overrides cannot change the receivers", push.Message{Title: "t", Body: "b", Overrides: over(`{"To_Account":["x"],"from_account":"x"}`)},
			[]string{"message.overrides.tim.To_Account", "message.overrides.tim.from_account"}},
		{"a long message", push.Message{Title: "t", Body: strings.Repeat("b", 12<<10)}, []string{"message.body"}},
		{"an override makes a message long", push.Message{Title: "t", Body: "b", Overrides: over(`{"Ext":"` + strings.Repeat("b", 12<<10) + `"}`)}, []string{"message.overrides.tim"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vendortest.FaultsAt(t, check(&tt.m), tt.want...)
		})
	}
}

// A message that passes Check is never over the limit when it is sent.
func TestCheckMeasuresWhatSendMakes(t *testing.T) {
	t.Parallel()
	long := &adapter{appID: 1, identifier: strings.Repeat("i", 32), secret: vendors.NewSecret("key")}
	rapid.Check(t, func(t *rapid.T) {
		m := &push.Message{
			Title: rapid.StringN(1, 50, -1).Draw(t, "title"), Body: strings.Repeat(rapid.StringN(1, 9, -1).Draw(t, "body"), rapid.IntRange(1, 2000).Draw(t, "times")),
			Data: rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "data"),
		}
		if rapid.Bool().Draw(t, "data message") {
			m.Kind = push.Data
		}
		r := request(m)
		r.TTL = 1 << 62
		push, err := long.pushBody(r)
		if err != nil {
			t.Fatal(err)
		}
		chat, err := long.chatBody(r)
		if err != nil {
			t.Fatal(err)
		}
		if len(check(m)) == 0 && max(len(push), len(chat)) > maxPayload {
			t.Fatalf("a message that passed has %d and %d bytes", len(push), len(chat))
		}
	})
}

func TestSettingsNameTheKeyAtFault(t *testing.T) {
	t.Parallel()
	good := Settings{SDKAppID: 1400000001, SecretKey: vendors.NewSecret("s")}
	tests := []struct {
		name   string
		change func(s *Settings)
		want   string
	}{
		{"valid settings have no fault", func(*Settings) {}, ""},
		{"an app id is over 0", func(s *Settings) { s.SDKAppID = 0 }, "sdk_app_id"},
		{"a secret key is needed", func(s *Settings) { s.SecretKey = vendors.NewSecret("") }, "secret_key"},
		{"an identifier may be named", func(s *Settings) { s.Identifier = "shop-admin" }, ""},
		{"an identifier has no spaces", func(s *Settings) { s.Identifier = "shop admin" }, "identifier"},
		{"an identifier has 32 bytes at most", func(s *Settings) { s.Identifier = strings.Repeat("a", 33) }, "identifier"},
		{"the push service may be named", func(s *Settings) { s.API = "push" }, ""},
		{"chat messages may be chosen", func(s *Settings) { s.API = "chat" }, ""},
		{"there is no third API", func(s *Settings) { s.API = "mail" }, "api"},
		{"a base URL has no path", func(s *Settings) { s.BaseURL = "https://a/v4" }, "base_url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := good
			tt.change(&s)
			vendortest.FaultsAt(t, s.Faults(), strings.Fields(tt.want)...)
		})
	}
}

func TestChatMessagesHaveTheirOwnLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		chat bool
		kind push.Kind
		want bool
	}{
		{"a notification by the push service", false, push.Notification, false},
		{"a notification by chat", true, push.Notification, true},
		{"data, which is sent by chat with any setting", false, push.Data, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pace := (&adapter{chat: tt.chat}).Pace(&push.Message{Kind: tt.kind})
			// A minute may have 60 seconds at that pace and one more request.
			if most := pace*60 + maxTokens; pace > 0 != tt.want || most > 12_000 || tt.want && most < 11_000 {
				t.Errorf("got %v accounts a second, want a limit %v", pace, tt.want)
			}
		})
	}
}
