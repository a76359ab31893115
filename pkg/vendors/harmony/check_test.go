package harmony

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/vendortest"
	"github.com/postrider/postrider/pkg/push"
)

func TestCheckNamesTheFieldAtFault(t *testing.T) {
	t.Parallel()
	vendortest.ChecksAsAll(t, Name, check)
	over := func(s string) map[string]json.RawMessage {
		return map[string]json.RawMessage{Name: json.RawMessage(s)}
	}
	click := func(a push.ClickAction, target string) push.Message {
		return push.Message{Title: "t", Body: "b", Click: &push.Click{Action: a, Target: target}}
	}
	minus := -1
	tests := []struct {
		name string
		m    push.Message
		want []string
	}{
		{"a data message needs neither title nor body", push.Message{Kind: push.Data}, nil},
		{"a URL to open is https", click(push.ClickURL, "http://a"), []string{"message.click.target"}},
		{"a URL to open has a target", click(push.ClickURL, ""), []string{"message.click.target"}},
		{"an intent has a target", click(push.ClickIntent, ""), []string{"message.click.target"}},
		{"a page has a target", click(push.ClickActivity, ""), []string{"message.click.target"}},
		{"a click action is known", click("page", "x"), []string{"message.click.action"}},
		{"an image is https", push.Message{Title: "t", Body: "b", Image: "http://a/b.png"}, []string{"message.image"}},
		{"a badge is not negative", push.Message{Title: "t", Body: "b", Badge: &minus}, []string{"message.badge"}},
		{"overrides cannot change the receivers", push.Message{Title: "t", Body: "b", Overrides: over(`{"target":{"token":["x"]},"Target":null}`)},
			[]string{"message.overrides.harmony.Target", "message.overrides.harmony.target"}},
		{"a long message", push.Message{Title: "t", Body: strings.Repeat("b", 4096)}, []string{"message.body"}},
		{"long data", push.Message{Kind: push.Data, Data: map[string]string{"d": strings.Repeat("b", 4096)}}, []string{"message.data"}},
		{"an override makes a message long", push.Message{Title: "t", Body: "b", Overrides: over(`{"x":"` + strings.Repeat("b", 4096) + `"}`)}, []string{"message.overrides.harmony"}},
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
		return len(body) - len(`"token"`), err
	}
	longest, err := size(&push.Message{Title: "t", Body: "b"}, 15*24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	vendortest.MeasuresWhatIsSent(t, check, size, longest, maxPayload)
}
