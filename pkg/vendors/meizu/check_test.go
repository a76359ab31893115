package meizu

import (
	"encoding/json"
	"strings"
	"testing"

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
	long, longest := strings.Repeat("汉", 33), strings.Repeat("汉", 32)
	tests := []struct {
		name string
		m    push.Message
		want []string
	}{
		{"a data message needs neither title nor body", push.Message{Kind: push.Data}, nil},
		{"a title of 32 characters", push.Message{Title: longest, Body: strings.Repeat("b", 100)}, nil},
		{"a title of 33 characters", push.Message{Title: long, Body: "b"}, []string{"message.title"}},
		{"an emoji is two characters in Java", push.Message{Title: strings.Repeat("t", 31) + "🚚", Body: "b"}, []string{"message.title"}},
		{"a body of 101 characters", push.Message{Title: "t", Body: strings.Repeat("汉", 101)}, []string{"message.body"}},
		{"a long title that is replaced", push.Message{Title: long, Body: "b", Overrides: over(`{"noticeBarInfo":{"title":"t"}}`)}, nil},
		{"a replacement that is long", push.Message{Title: "t", Body: "b", Overrides: over(`{"noticeBarInfo":{"title":"` + long + `"}}`)},
			[]string{"message.overrides.meizu.noticeBarInfo.title"}},
		{"a replacement that is empty", push.Message{Title: "t", Body: "b", Overrides: over(`{"noticeBarInfo":{"content":""}}`)},
			[]string{"message.overrides.meizu.noticeBarInfo.content"}},
		{"a data message of 2,000 characters", push.Message{Kind: push.Data, Data: map[string]string{"k": strings.Repeat("x", 1992)}}, nil},
		{"a data message of 2,001 characters", push.Message{Kind: push.Data, Data: map[string]string{"k": strings.Repeat("x", 1993)}}, []string{"message.data"}},
		{"a data message with a long title", push.Message{Kind: push.Data, Title: long}, []string{"message.title"}},
		{"a data message with its own content", push.Message{Kind: push.Data, Overrides: over(`{"content":"` + strings.Repeat("x", 2001) + `"}`)}, []string{"message.overrides.meizu.content"}},
		{"a URL to open has a target", push.Message{Title: "t", Body: "b", Click: &push.Click{Action: push.ClickURL}}, []string{"message.click.target"}},
		{"an activity has a target", push.Message{Title: "t", Body: "b", Click: &push.Click{Action: push.ClickActivity}}, []string{"message.click.target"}},
		{"a click action is known", push.Message{Title: "t", Body: "b", Click: &push.Click{Action: "page"}}, []string{"message.click.action"}},
		{"overrides cannot change the receivers", push.Message{Title: "t", Body: "b", Overrides: over(`{"PushIds":"x","appId":"1","sign":null}`)},
			[]string{"message.overrides.meizu.PushIds", "message.overrides.meizu.appId", "message.overrides.meizu.sign"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vendortest.FaultsAt(t, check(&tt.m), tt.want...)
		})
	}
}

func TestSettingsNameTheKeyAtFault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		s    Settings
		want string
	}{
		{"valid settings have no fault", Settings{AppID: "100999", AppSecret: vendors.NewSecret("s")}, ""},
		{"an app id has no spaces", Settings{AppID: "100 999", AppSecret: vendors.NewSecret("s")}, "app_id"},
		{"a secret is needed", Settings{AppID: "100999"}, "app_secret"},
		{"a base URL has no path", Settings{AppID: "100999", AppSecret: vendors.NewSecret("s"), BaseURL: "https://a/b"}, "base_url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vendortest.FaultsAt(t, tt.s.Faults(), strings.Fields(tt.want)...)
		})
	}
}
