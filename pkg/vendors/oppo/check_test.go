package oppo

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

func over(s string) map[string]json.RawMessage {
	return map[string]json.RawMessage{Name: json.RawMessage(s)}
}

func TestCheckNamesTheFieldAtFault(t *testing.T) {
	t.Parallel()
	vendortest.ChecksAsAll(t, Name, check)
	han := func(n int) string { return strings.Repeat("汉", n) }
	click := func(a push.ClickAction, target string) *push.Click { return &push.Click{Action: a, Target: target} }
	tests := []struct {
		name string
		m    push.Message
		want []string
	}{
		{"there are no data messages", push.Message{Kind: push.Data, Data: map[string]string{"k": "v"}}, []string{"message.kind"}},
		{"a title of 50 characters", push.Message{Title: han(50), Body: "b"}, nil},
		{"a title of 51 characters", push.Message{Title: han(51), Body: "b"}, []string{"message.title"}},
		{"emoji count one each", push.Message{Title: strings.Repeat("🚚", 50), Body: "b"}, nil},
		{"a body of 128 characters", push.Message{Title: "t", Body: han(128)}, nil},
		{"a body of 129 characters", push.Message{Title: "t", Body: han(129)}, []string{"message.body"}},
		{"a long body in a short style", push.Message{Title: "t", Body: han(51), Overrides: over(`{"style":1}`)}, []string{"message.body"}},
		{"data of 4,000 characters", push.Message{Title: "t", Body: "b", Data: map[string]string{"k": han(4000 - len(`{"k":""}`))}}, nil},
		{"data of 4,001 characters", push.Message{Title: "t", Body: "b", Data: map[string]string{"k": han(4001 - len(`{"k":""}`))}}, []string{"message.data"}},
		{"a URL of 2,000 characters", push.Message{Title: "t", Body: "b", Click: click(push.ClickURL, han(2000))}, nil},
		{"a URL of 2,001 characters", push.Message{Title: "t", Body: "b", Click: click(push.ClickURL, han(2001))}, []string{"message.click.target"}},
		{"an activity of 501 characters", push.Message{Title: "t", Body: "b", Click: click(push.ClickActivity, han(501))}, []string{"message.click.target"}},
		{"an intent has a target", push.Message{Title: "t", Body: "b", Click: click(push.ClickIntent, "")}, []string{"message.click.target"}},
		{"a click action is known", push.Message{Title: "t", Body: "b", Click: click("page", "x")}, []string{"message.click.action"}},
		{"a subtitle of 11 characters", push.Message{Title: "t", Body: "b", Overrides: over(`{"sub_title":"12345678901"}`)}, []string{"message.overrides.oppo.sub_title"}},
		{"a title that overrides make long", push.Message{Title: "t", Body: "b", Overrides: over(`{"title":"` + han(51) + `"}`)}, []string{"message.overrides.oppo.title"}},
		{"a title that overrides remove", push.Message{Title: "t", Body: "b", Overrides: over(`{"title":null}`)}, []string{"message.overrides.oppo.title"}},
		{"overrides cannot change the receivers", push.Message{Title: "t", Body: "b", Overrides: over(`{"target_value":"x","Message_ID":1,"app_message_id":null}`)},
			[]string{"message.overrides.oppo.Message_ID", "message.overrides.oppo.app_message_id", "message.overrides.oppo.target_value"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vendortest.FaultsAt(t, check(&tt.m), tt.want...)
		})
	}
}

// The request for a message that passes Check is within OPPO's limits.
func TestCheckMeasuresWhatSendMakes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &push.Message{Title: rapid.StringN(0, 80, -1).Draw(t, "title"), Body: rapid.StringN(0, 200, -1).Draw(t, "body")}
		if len(check(m)) > 0 {
			return
		}
		raw, err := payload(m, ident{appMessageID: testKey, key: testKey, ttl: 1})
		var n notification
		if err != nil || json.Unmarshal(raw, &n) != nil {
			t.Fatalf("got %s (%v)", raw, err)
		}
		most := map[int]int{1: 50, 2: 128}[n.Style]
		if utf8.RuneCountInString(n.Title) > 50 || utf8.RuneCountInString(n.Content) > most || n.Title == "" || n.Content == "" {
			t.Fatalf("%+v passed", n)
		}
	})
}

func TestSettingsNameTheKeyAtFault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(s *Settings)
		want   string
	}{
		{"valid settings have no fault", func(*Settings) {}, ""},
		{"an app key is needed", func(s *Settings) { s.AppKey = "" }, "app_key"},
		{"an app key has no spaces around it", func(s *Settings) { s.AppKey = "k " }, "app_key"},
		{"a master secret is needed", func(s *Settings) { s.MasterSecret = vendors.NewSecret("") }, "master_secret"},
		{"a master secret has no line break", func(s *Settings) { s.MasterSecret = vendors.NewSecret("s\n") }, "master_secret"},
		{"a base URL has no path", func(s *Settings) { s.BaseURL = "https://a/b" }, "base_url"},
		{"a feedback URL may be plain http only on the loopback", func(s *Settings) { s.FeedbackURL = "http://a" }, "feedback_url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := Settings{AppKey: "k", MasterSecret: vendors.NewSecret("s")}
			tt.change(&s)
			vendortest.FaultsAt(t, s.Faults(), strings.Fields(tt.want)...)
		})
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	own := Settings{BaseURL: "https://api-intl.push.oppomobile.com/", FeedbackURL: "https://f.example/"}
	for got, want := range map[string]string{
		(&Settings{}).Open(nil).(*adapter).base:     "https://api.push.oppomobile.com/server/v1",
		own.Open(nil).(*adapter).base:               "https://api-intl.push.oppomobile.com/server/v1",
		(&Settings{}).Open(nil).(*adapter).feedback: "https://feedback.push.oppomobile.com/server/v1",
		own.Open(nil).(*adapter).feedback:           "https://f.example/server/v1",
		// It is not known which host has the list of an API at another address.
		(&Settings{BaseURL: "https://a.example"}).Open(nil).(*adapter).feedback: "",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAMessageThatCannotBeEncodedMakesNoRequest(t *testing.T) {
	t.Parallel()
	s := Settings{AppKey: "k", MasterSecret: vendors.NewSecret("s"), BaseURL: "http://127.0.0.1:1"}
	a := s.Open(nil).(*adapter)
	m := &push.Message{Overrides: over(`{"target_value":"x"}`)}
	_, one := a.Send(t.Context(), request(m, "a"))
	_, two := a.Send(t.Context(), request(m, "a", "b"))
	_, save := a.Upload(t.Context(), request(m, "a"))
	_, none := a.SendMixed(t.Context(), []*vendors.Request{})
	for _, err := range []error{one, two, save, none} {
		if err == nil || !strings.Contains(err.Error(), ": transport/dial: ") {
			t.Errorf("got %v, want a refusal before any request", err)
		}
	}
}
