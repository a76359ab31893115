package xiaomi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

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
	const o = "message.overrides.xiaomi"
	text := func(n int) string { return strings.Repeat("字", n) }
	click := func(action push.ClickAction, target string) push.Message {
		return push.Message{Title: "t", Body: "b", Click: &push.Click{Action: action, Target: target}}
	}
	with := func(override string) push.Message {
		return push.Message{Title: "t", Body: "b", Overrides: over(override)}
	}
	extras := func(n int) string {
		var s strings.Builder
		for i := range n {
			fmt.Fprintf(&s, `,"extra.k%d":"v"`, i)
		}
		return "{" + s.String()[1:] + "}"
	}
	tests := []struct {
		name string
		m    push.Message
		want []string
	}{
		{"a title is not only white space", push.Message{Title: " \u3000", Body: "b"}, []string{"message.title"}},
		{"a title of 49 characters", push.Message{Title: text(49), Body: "b"}, nil},
		{"a title of 50 characters", push.Message{Title: text(50), Body: "b"}, []string{"message.title"}},
		{"an emoji counts twice", push.Message{Title: strings.Repeat("🚚", 25), Body: "b"}, []string{"message.title"}},
		{"a body of 127 characters", push.Message{Title: "t", Body: text(127)}, nil},
		{"a body of 128 characters", push.Message{Title: "t", Body: text(128)}, []string{"message.body"}},
		{"a data message needs neither title nor body", push.Message{Kind: push.Data, Data: map[string]string{"k": "v"}}, nil},
		{"a data message ignores a long title", push.Message{Kind: push.Data, Title: text(60)}, nil},
		{"a URL to open is http", click(push.ClickURL, "http://a"), nil},
		{"a URL to open has no other scheme", click(push.ClickURL, "shop://a"), []string{"message.click.target"}},
		{"a URL to open has a target", click(push.ClickURL, ""), []string{"message.click.target"}},
		{"an intent has a target", click(push.ClickIntent, ""), []string{"message.click.target"}},
		{"an activity is a class", click(push.ClickActivity, "com.x.A;S.k=v"), []string{"message.click.target"}},
		{"a click action is known", click("page", "x"), []string{"message.click.action"}},
		{"a long intent fills the extras", click(push.ClickIntent, strings.Repeat("i", 1024)), []string{"message"}},
		{"overrides cannot change the receivers", with(`{"registration_id":"x","topic":null,"messages":"[]"}`), []string{o + ".messages", o + ".registration_id", o + ".topic"}},
		{"overrides cannot change the time of sending", with(`{"time_to_send":1}`), []string{o + ".time_to_send"}},
		{"overrides have lower-case names", with(`{"Registration_ID":"x"}`), []string{o + ".Registration_ID"}},
		{"overrides have no extra object", with(`{"extra":{"channel_id":"1"}}`), []string{o + ".extra"}},
		{"overrides have no nameless extra", with(`{"extra.":"1"}`), []string{o + ".extra."}},
		{"overrides are not lists", with(`{"payload":["x"]}`), []string{o + ".payload"}},
		{"numbers stay whole", with(`{"notify_id":1.5,"notify_type":"x","time_to_live":true}`), []string{o + ".notify_id", o + ".notify_type", o + ".time_to_live"}},
		{"numbers may be text", with(`{"notify_id":"7","notify_type":-1}`), nil},
		{"an override's title is measured", with(`{"title":"` + text(50) + `"}`), []string{o + ".title"}},
		{"an override shortens a title", push.Message{Title: text(60), Body: "b", Overrides: over(`{"title":"short"}`)}, nil},
		{"an override removes the title", with(`{"title":null}`), []string{o + ".title"}},
		{"an override makes it a data message", with(`{"pass_through":1,"title":null,"description":null,"payload":"p"}`), nil},
		{"a data message by override needs a payload", with(`{"pass_through":1}`), []string{"message.data"}},
		{"ten extras with those of the adapter", with(extras(8)), nil},
		{"eleven extras with those of the adapter", with(extras(9)), []string{o}},
		{"extras of 1,024 characters with those of the adapter", with(`{"extra.k":"` + text(1024-len("knotify_effect1jobkey12345678")) + `"}`), nil},
		{"extras of 1,025 characters with those of the adapter", with(`{"extra.k":"` + text(1025-len("knotify_effect1jobkey12345678")) + `"}`), []string{"message"}},
		{"a jobkey follows from the job's id", with(`{"extra.jobkey":"-23456789_bc"}`), []string{o + ".extra.jobkey"}},
		{"a jobkey cannot be removed", with(`{"extra.jobkey":null}`), []string{o + ".extra.jobkey"}},
		{"kinds of receipts are a sum", with(`{"extra.callback.type":243}`), nil},
		{"kinds of receipts that Xiaomi ignores", with(`{"extra.callback.type":246}`), []string{o + ".extra.callback.type"}},
		{"all kinds of receipts", with(`{"extra.callback.type":"1267"}`), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vendortest.FaultsAt(t, check(&tt.m), tt.want...)
		})
	}
}

// The request for a message that passes Check is within the limits.
func TestCheckMeasuresWhatSendMakes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := &push.Message{
			Title: rapid.StringN(1, 60, -1).Draw(t, "title"), Body: rapid.StringN(1, 140, -1).Draw(t, "body"),
			Channel: rapid.StringN(0, 300, -1).Draw(t, "channel"), Sound: "/raw/" + rapid.StringN(0, 700, -1).Draw(t, "sound"),
		}
		if len(check(m)) > 0 {
			return
		}
		id := ident{packageName: "com.example.shop", ttl: time.Duration(rapid.Int64Min(1).Draw(t, "ttl")), key: testKey}
		list, err := fields(m, id)
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, f := range extrasOf(list) {
			size += len([]rune(strings.TrimPrefix(f.name, extraPrefix) + f.value))
		}
		if n := len([]rune(value(list, fieldTitle))); n > maxTitle || size > maxExtraSize {
			t.Fatalf("a message that passed has a title of %d and extras of %d characters", n, size)
		}
	})
}

func TestMergeKeepsTheOrder(t *testing.T) {
	t.Parallel()
	base := []field{{"title", "t"}, {"notify_id", "1"}}
	tests := []struct {
		name, override string
		want           []field
	}{
		{"nothing", ``, base},
		{"a field is replaced in its place", `{"title":"x"}`, []field{{"title", "x"}, {"notify_id", "1"}}},
		{"new fields follow by name", `{"extra.b":"2","extra.a":1.50}`, []field{{"title", "t"}, {"notify_id", "1"}, {"extra.a", "1.50"}, {"extra.b", "2"}}},
		{"null removes a field", `{"title":null}`, []field{{"notify_id", "1"}}},
		{"null for a missing field changes nothing", `{"extra.a":null}`, base},
		{"true becomes text", `{"extra.a":true}`, []field{{"title", "t"}, {"notify_id", "1"}, {"extra.a", "true"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := merge(slices.Clone(base), []byte(tt.override))
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %v (%v), want %v", got, err, tt.want)
			}
		})
	}
}

func FuzzMerge(f *testing.F) {
	for _, seed := range []string{`{}`, `{"extra.channel_id":"a"}`, `{"title":null}`, `{"registration_id":"x"}`, `{"Topic":1}`, `[]`, `null`, `{"a":1e999}`, `{} x`, `{"notify_id":-0}`, `{"notify_type":"007"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, override []byte) {
		if len(override) == 0 {
			return
		}
		list, err := merge([]field{{"title", "t"}, {"notify_id", "1"}}, override)
		if faults := overrideFaults(override); (err != nil) != (len(faults) > 0) {
			t.Fatalf("merge says %v, check says %v", err, faults)
		}
		if err != nil {
			return
		}
		form, err := url.ParseQuery(string(formBody(list, []string{"token"})))
		if err != nil || len(form["registration_id"]) != 1 || form.Get("registration_id") != "token" {
			t.Errorf("got receivers %q (%v)", form["registration_id"], err)
		}
		if doc := appendMessage(nil, list); !json.Valid(doc) {
			t.Errorf("%s is not JSON", doc)
		}
	})
}

func TestSettingsNameTheKeyAtFault(t *testing.T) {
	t.Parallel()
	good := Settings{AppSecret: vendors.NewSecret("CXHodE6CbA+PKG1lEMgzvQ=="), PackageName: "com.example.shop"}
	tests := []struct {
		name   string
		change func(s *Settings)
		want   string
	}{
		{"valid settings have no fault", func(*Settings) {}, ""},
		{"a secret is needed", func(s *Settings) { s.AppSecret = vendors.NewSecret("") }, "app_secret"},
		{"a secret has no scheme", func(s *Settings) { s.AppSecret = vendors.NewSecret("key=abc") }, "app_secret"},
		{"a secret has no line break", func(s *Settings) { s.AppSecret = vendors.NewSecret("abc\n") }, "app_secret"},
		{"a package is needed", func(s *Settings) { s.PackageName = "" }, "package_name"},
		{"a package is one name", func(s *Settings) { s.PackageName = "com.a,com.b" }, "package_name"},
		{"a package name has at most 128 characters", func(s *Settings) { s.PackageName = strings.Repeat("p", 129) }, "package_name"},
		{"a base URL has no path", func(s *Settings) { s.BaseURL = "https://a/b" }, "base_url"},
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
