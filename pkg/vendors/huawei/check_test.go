package huawei

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

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
		{"a data message needs neither title nor body", push.Message{Kind: push.Data}, nil},
		{"a URL to open is https", push.Message{Title: "t", Body: "b", Click: &push.Click{Action: push.ClickURL, Target: "http://a"}}, []string{"message.click.target"}},
		{"a URL to open has a target", push.Message{Title: "t", Body: "b", Click: &push.Click{Action: push.ClickURL}}, []string{"message.click.target"}},
		{"an intent has a target", push.Message{Title: "t", Body: "b", Click: &push.Click{Action: push.ClickIntent}}, []string{"message.click.target"}},
		{"a click action is known", push.Message{Title: "t", Body: "b", Click: &push.Click{Action: "page"}}, []string{"message.click.action"}},
		{"an image is https", push.Message{Title: "t", Body: "b", Image: "http://a/b.png"}, []string{"message.image"}},
		{"a badge is not negative", push.Message{Title: "t", Body: "b", Badge: &minus}, []string{"message.badge"}},
		{"overrides cannot change the receivers", push.Message{Title: "t", Body: "b", Overrides: over(`{"token":["x"],"Topic":"x","condition":null}`)},
			[]string{"message.overrides.huawei.Topic", "message.overrides.huawei.condition", "message.overrides.huawei.token"}},
		{"a long message", push.Message{Title: "t", Body: strings.Repeat("b", 4096)}, []string{"message.body"}},
		{"an override makes a message long", push.Message{Title: "t", Body: "b", Overrides: over(`{"data":"` + strings.Repeat("b", 4096) + `"}`)}, []string{"message.overrides.huawei"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vendortest.FaultsAt(t, check(&tt.m), tt.want...)
		})
	}
}

func TestCheckMeasuresWhatSendMakes(t *testing.T) {
	t.Parallel()
	size := func(m *push.Message, ttl time.Duration) (int, error) {
		r := request(m, "token")
		r.TTL = ttl
		body, err := requestBody(r)
		return len(body) - len(`{"message":`) - len(`,"token":["token"]`) - len(`}`), err
	}
	msg, err := payload(&push.Message{Title: "t", Body: "b"}, ident{ttl: 15 * 24 * time.Hour, key: testKey, notifyID: 1<<31 - 1})
	if err != nil {
		t.Fatal(err)
	}
	vendortest.MeasuresWhatIsSent(t, check, size, len(msg), maxPayload)
}

func TestSettingsNameTheKeyAtFault(t *testing.T) {
	t.Parallel()
	good := Settings{ClientID: "100000001", ClientSecret: vendors.NewSecret("s")}
	tests := []struct {
		name   string
		change func(s *Settings)
		want   string
	}{
		{"valid settings have no fault", func(*Settings) {}, ""},
		{"a client id is digits", func(s *Settings) { s.ClientID = "a1" }, "client_id"},
		{"a client id has 64 digits at most", func(s *Settings) { s.ClientID = strings.Repeat("1", 65) }, "client_id"},
		{"a secret is needed", func(s *Settings) { s.ClientSecret = vendors.NewSecret("") }, "client_secret"},
		{"a project id is part of a path", func(s *Settings) { s.ProjectID = "../x" }, "project_id"},
		{"a base URL has no path", func(s *Settings) { s.BaseURL = "https://a/b" }, "base_url"},
		{"an auth URL may be plain http only on the loopback", func(s *Settings) { s.AuthURL = "http://a/b" }, "auth_url"},
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
