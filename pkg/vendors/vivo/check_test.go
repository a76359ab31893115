package vivo

import (
	"encoding/json"
	"strings"
	"testing"

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
		{"a title of 20 Chinese characters", push.Message{Title: han(20), Body: "b"}, nil},
		{"a title of 20 Chinese characters and another", push.Message{Title: han(20) + "x", Body: "b"}, []string{"message.title"}},
		{"a title of 40 letters", push.Message{Title: strings.Repeat("x", 40), Body: "b"}, nil},
		{"a title of 40 emoji", push.Message{Title: strings.Repeat("🚚", 40), Body: "b"}, nil},
		{"a title of 41 emoji", push.Message{Title: strings.Repeat("🚚", 41), Body: "b"}, []string{"message.title"}},
		{"a title of 21 wide commas", push.Message{Title: strings.Repeat("，", 21), Body: "b"}, []string{"message.title"}},
		{"a body of 50 Chinese characters", push.Message{Title: "t", Body: han(50)}, nil},
		{"a body of 101 letters", push.Message{Title: "t", Body: strings.Repeat("x", 101)}, []string{"message.body"}},
		{"ten pairs of data", push.Message{Title: "t", Body: "b", Data: pairs(10, "v")}, nil},
		{"eleven pairs of data", push.Message{Title: "t", Body: "b", Data: pairs(11, "v")}, []string{"message.data"}},
		{"data of 1,024 characters", push.Message{Title: "t", Body: "b", Data: map[string]string{"k": han(1023)}}, nil},
		{"data of 1,025 characters", push.Message{Title: "t", Body: "b", Data: map[string]string{"k": han(1024)}}, []string{"message.data"}},
		{"a URL of 1,000 characters", push.Message{Title: "t", Body: "b", Click: click(push.ClickURL, han(1000))}, nil},
		{"a URL of 1,001 characters", push.Message{Title: "t", Body: "b", Click: click(push.ClickURL, han(1001))}, []string{"message.click.target"}},
		{"an intent of 1,024 characters", push.Message{Title: "t", Body: "b", Click: click(push.ClickIntent, han(1024))}, nil},
		{"an intent of 1,025 characters", push.Message{Title: "t", Body: "b", Click: click(push.ClickIntent, han(1025))}, []string{"message.click.target"}},
		{"an activity has a target", push.Message{Title: "t", Body: "b", Click: click(push.ClickActivity, "")}, []string{"message.click.target"}},
		{"a click action is known", push.Message{Title: "t", Body: "b", Click: click("page", "x")}, []string{"message.click.action"}},
		{"a title that overrides make long", push.Message{Title: "t", Body: "b", Overrides: over(`{"title":"` + han(21) + `"}`)}, []string{"message.overrides.vivo.title"}},
		{"a title that overrides remove", push.Message{Title: "t", Body: "b", Overrides: over(`{"title":null}`)}, []string{"message.overrides.vivo.title"}},
		{"custom values are strings", push.Message{Title: "t", Body: "b", Overrides: over(`{"clientCustomMap":{"k":1}}`)}, []string{"message.overrides.vivo.clientCustomMap"}},
		{"custom pairs are an object", push.Message{Title: "t", Body: "b", Overrides: over(`{"clientCustomMap":[]}`)}, []string{"message.overrides.vivo.clientCustomMap"}},
		{"overrides cannot change the receivers", push.Message{Title: "t", Body: "b", Overrides: over(`{"regId":"x","RegIDs":1,"requestId":null,"pushMode":1}`)},
			[]string{"message.overrides.vivo.RegIDs", "message.overrides.vivo.pushMode", "message.overrides.vivo.regId", "message.overrides.vivo.requestId"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vendortest.FaultsAt(t, check(&tt.m), tt.want...)
		})
	}
}

func pairs(n int, v string) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[strings.Repeat("k", i+1)] = v
	}
	return m
}

// The request for a message that passes Check is within vivo's limits.
func TestCheckMeasuresWhatSendMakes(t *testing.T) {
	t.Parallel()
	a := &adapter{appID: "10004"}
	rapid.Check(t, func(t *rapid.T) {
		m := &push.Message{Title: rapid.StringN(0, 60, -1).Draw(t, "title"), Body: rapid.StringN(0, 120, -1).Draw(t, "body")}
		if len(check(m)) > 0 {
			return
		}
		raw, err := a.singleBody(request(m, "a"))
		var msg message
		if err != nil || json.Unmarshal(raw, &msg) != nil {
			t.Fatalf("got %s (%v)", raw, err)
		}
		if width(msg.Title) > 40 || width(msg.Content) > 100 || msg.Title == "" || msg.Content == "" {
			t.Fatalf("%+v passed", msg)
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
		{"an app id is needed", func(s *Settings) { s.AppID = 0 }, "app_id"},
		{"an app id is not negative", func(s *Settings) { s.AppID = -1 }, "app_id"},
		{"an app key is needed", func(s *Settings) { s.AppKey = "" }, "app_key"},
		{"an app key has no spaces around it", func(s *Settings) { s.AppKey = " k" }, "app_key"},
		{"an app secret is needed", func(s *Settings) { s.AppSecret = vendors.NewSecret("") }, "app_secret"},
		{"an app secret has no line break", func(s *Settings) { s.AppSecret = vendors.NewSecret("s\n") }, "app_secret"},
		{"a base URL has no path", func(s *Settings) { s.BaseURL = "https://a/b" }, "base_url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := Settings{AppID: 1, AppKey: "k", AppSecret: vendors.NewSecret("s")}
			tt.change(&s)
			vendortest.FaultsAt(t, s.Faults(), strings.Fields(tt.want)...)
		})
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	own := Settings{BaseURL: "https://push.example/"}
	for got, want := range map[string]string{
		(&Settings{}).Open(nil).(*adapter).base: "https://api-push.vivo.com.cn/message",
		own.Open(nil).(*adapter).base:           "https://push.example/message",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestAMessageThatCannotBeEncodedMakesNoRequest(t *testing.T) {
	t.Parallel()
	s := Settings{AppID: 1, AppKey: "k", AppSecret: vendors.NewSecret("s"), BaseURL: "http://127.0.0.1:1"}
	a := s.Open(nil).(*adapter)
	m := &push.Message{Overrides: over(`{"regId":"x"}`)}
	_, one := a.Send(t.Context(), request(m, "a"))
	_, save := a.Upload(t.Context(), request(m, "a", "b"))
	for _, err := range []error{one, save} {
		if err == nil || !strings.Contains(err.Error(), ": transport/dial: ") {
			t.Errorf("got %v, want a refusal before any request", err)
		}
	}
}
