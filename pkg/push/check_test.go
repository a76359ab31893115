package push_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
)

// longToken is as long as a push token can be and looks like one.
var longToken = strings.Repeat("IQAAAACy0ZxV", 10)

// wrongs are the ways in which a job can be wrong, each with what is said of it.
func wrongs() []struct {
	name   string
	change func(*push.Job)
	want   string
} {
	minus := -1
	overrides := func(vendor, raw string) func(*push.Job) {
		return func(j *push.Job) { j.Message.Overrides = map[string]json.RawMessage{vendor: json.RawMessage(raw)} }
	}
	return []struct {
		name   string
		change func(*push.Job)
		want   string
	}{
		{"an id that is too long", func(j *push.Job) { j.ID = strings.Repeat("i", 201) }, "id: has 201 bytes, at most 200"},
		{"an id with white space", func(j *push.Job) { j.ID = "order 42" },
			"id: may hold printable characters only, no white space and no { or }"},
		{"an id with a brace", func(j *push.Job) { j.ID = "order{42" },
			"id: may hold printable characters only, no white space and no { or }"},
		{"an id with a control character", func(j *push.Job) { j.ID = "order\n42" },
			"id: may hold printable characters only, no white space and no { or }"},
		{"an id that is not UTF-8", func(j *push.Job) { j.ID = "order\xff" }, "id: is not UTF-8"},
		{"an unknown priority", func(j *push.Job) { j.Priority = "urgent" }, `priority: is "urgent", want high, normal, bulk`},
		{"an unknown delivery", func(j *push.Job) { j.Delivery = "exactly-once" }, `delivery: is "exactly-once", want at-least-once, at-most-once`},
		{"an end in the past", func(j *push.Job) { j.ExpiresAt = noon.Add(-time.Second) }, "expires_at: 2026-11-21T11:59:59Z is in the past"},
		{"an end right now", func(j *push.Job) { j.ExpiresAt = noon }, "expires_at: 2026-11-21T12:00:00Z is in the past"},
		{"an end before the start", func(j *push.Job) { j.NotBefore, j.ExpiresAt = noon.Add(2*time.Hour), noon.Add(time.Hour) },
			"expires_at: is not after not_before: nothing could ever be sent"},
		{"an end at the start", func(j *push.Job) { j.NotBefore, j.ExpiresAt = noon.Add(time.Hour), noon.Add(time.Hour) },
			"expires_at: is not after not_before: nothing could ever be sent"},
		{"no app", func(j *push.Job) { j.App = "" }, "app: is missing: name the app that the job belongs to"},
		{"an unknown app", func(j *push.Job) { j.App = "shoop" }, `app: "shoop" is not configured; configured are empty, mini, shop`},
		{"an app that lacks the vendor", func(j *push.Job) { j.App, j.Targets = "mini", map[string][]string{"five": {"t"}} },
			"targets.five: app mini has no settings for five"},
		{"an app that lacks every vendor", func(j *push.Job) { j.App = "empty" }, "targets.three: app empty has no settings for three"},
		{"no targets", func(j *push.Job) { j.Targets = nil },
			`targets: are missing: give at least one token, as {"<vendor>": ["<token>"]}`},
		{"vendors without tokens", func(j *push.Job) { j.Targets = map[string][]string{"three": {}, "five": nil} },
			`targets: are missing: give at least one token, as {"<vendor>": ["<token>"]}`},
		{"an unknown vendor", func(j *push.Job) { j.Targets["thre"] = []string{"secret"} }, "targets.thre: is not a vendor: did you mean three?"},
		{"a vendor like no other", func(j *push.Job) { j.Targets["nokia"] = []string{"secret"} }, "targets.nokia: is not a vendor; vendors are five, three"},
		{"a token as vendor", func(j *push.Job) { j.Targets[longToken] = []string{"secret"} },
			"targets.IQAA…xV (120 characters): is not a vendor; vendors are five, three"},
		{"vendor and token swapped", func(j *push.Job) { j.Targets["alice"] = []string{"three"} },
			`targets.a…: is not a vendor, and its token is "three": are they swapped? The vendor comes first`},
		{"a token as app", func(j *push.Job) { j.App = longToken },
			"app: is not an app's name: letters, digits, dots, dashes and underscores, beginning with a letter or digit, at most 64"},
		{"a short token as app", func(j *push.Job) { j.App = longToken[:40] },
			`app: "IQAA…AA (40 characters)" is not configured; configured are empty, mini, shop`},
		{"a token as priority", func(j *push.Job) { j.Priority = push.Priority(longToken) },
			`priority: is "IQAA…xV (120 characters)", want high, normal, bulk`},
		{"an unknown kind", func(j *push.Job) { j.Message.Kind = "alert" }, `message.kind: is "alert", want notification, data`},
		{"an unknown class", func(j *push.Job) { j.Message.Class = "promo" }, `message.class: is "promo", want service, marketing`},
		{"a category in lower case", func(j *push.Job) { j.Message.Category = "order" },
			`message.category: is "order", want upper-case letters like ORDER or DEVICE_REMINDER`},
		{"a notification without a title", func(j *push.Job) { j.Message.Title = " " }, "message.title: is missing: a notification needs one"},
		{"a notification without a body", func(j *push.Job) { j.Message.Body = "" }, "message.body: is missing: a notification needs one"},
		{"a data message without data", func(j *push.Job) { j.Message = push.Message{Kind: push.Data} }, "message.data: is missing: a data message needs some"},
		{"a title that is not UTF-8", func(j *push.Job) { j.Message.Title = "\xff" }, "message.title: is not UTF-8"},
		{"a body that is not UTF-8", func(j *push.Job) { j.Message.Body = "\xff" }, "message.body: is not UTF-8"},
		{"a channel that is not UTF-8", func(j *push.Job) { j.Message.Channel = "\xff" }, "message.channel: is not UTF-8"},
		{"a collapse id that is not UTF-8", func(j *push.Job) { j.Message.CollapseID = "\xff" }, "message.collapse_id: is not UTF-8"},
		{"an image that is not UTF-8", func(j *push.Job) { j.Message.Image = "https://shop.example/\xff" }, "message.image: is not UTF-8"},
		{"a sound that is not UTF-8", func(j *push.Job) { j.Message.Sound = "\xff" }, "message.sound: is not UTF-8"},
		{"a click's target that is not UTF-8", func(j *push.Job) { j.Message.Click = &push.Click{Action: push.ClickURL, Target: "\xff"} },
			"message.click.target: is not UTF-8"},
		{"data that is not UTF-8", func(j *push.Job) { j.Message.Data = map[string]string{"k": "\xff"} }, "message.data.k: is not UTF-8"},
		{"a key of data that is not UTF-8", func(j *push.Job) { j.Message.Data = map[string]string{"\xff": "v"} }, "message.data: is not UTF-8"},
		{"overrides that are not UTF-8", overrides("three", "{\"k\":\"\xff\"}"), "message.overrides.three.k: is not UTF-8: write UTF-8"},
		{"overrides with half a character", overrides("three", `{"k":"\ud83d"}`),
			`message.overrides.three.k: holds \ud83d, half of a surrogate pair, without the other half: write both, like \ud83d\ude00, or the character itself`},
		{"a title with a NUL", func(j *push.Job) { j.Message.Title = "a\x00" }, "message.title: holds a NUL character: remove it"},
		{"data with a NUL", func(j *push.Job) { j.Message.Data = map[string]string{"k": "\x00"} }, "message.data.k: holds a NUL character: remove it"},
		{"a negative ttl", func(j *push.Job) { j.Message.TTL = -1 }, "message.ttl: is negative"},
		{"a negative badge", func(j *push.Job) { j.Message.Badge = &minus }, "message.badge: is negative: 0 clears the badge"},
		{"a click without an action", func(j *push.Job) { j.Message.Click = &push.Click{} },
			"message.click.action: is missing: want app, url, intent or activity"},
		{"a click with an unknown action", func(j *push.Job) { j.Message.Click = &push.Click{Action: "open", Target: "x"} },
			`message.click.action: is "open", want app, url, intent, activity`},
		{"a click without a target", func(j *push.Job) { j.Message.Click = &push.Click{Action: push.ClickURL} },
			"message.click.target: is missing: action url needs one"},
		{"an image over http", func(j *push.Job) { j.Message.Image = "http://shop.example/i.png" }, "message.image: is not an https URL"},
		{"an image without a host", func(j *push.Job) { j.Message.Image = "https:///i.png" }, "message.image: is not an https URL"},
		{"an image that is no URL", func(j *push.Job) { j.Message.Image = "https://[" }, "message.image: is not an https URL"},
		{"overrides of an unknown vendor", overrides("four", "{}"), "message.overrides.four: is not a vendor; vendors are five, three"},
		{"overrides that are a list", overrides("three", "[]"), "message.overrides.three: is not a JSON object"},
		{"overrides that are null", overrides("three", "null"), "message.overrides.three: is not a JSON object"},
		{"overrides that are not JSON", overrides("three", "{"), "message.overrides.three: is not a JSON object"},
		{"a message that breaks a vendor's limit", func(j *push.Job) {
			j.Message.Title, j.Targets = strings.Repeat("x", 21), map[string][]string{"three": {"t"}, "five": {"t"}}
		}, "message.title: is longer than five allows"},
	}
}

func TestAWrongJobIsRefusedWithTheFieldsName(t *testing.T) {
	t.Parallel()
	for _, c := range wrongs() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Client(t)
			j := to(job("j"), "three", "token")
			c.change(&j)
			_, err := newClient(t, rdb).Enqueue(t.Context(), j)
			var invalid *push.InvalidError
			if !errors.As(err, &invalid) || err.Error() != c.want || invalid.Job != j.ID {
				t.Errorf("got %v, want %s", err, c.want)
			}
			wantEmpty(t, rdb)
		})
	}
}

func TestAStreamRefusesTheSameJobs(t *testing.T) {
	t.Parallel()
	for _, c := range wrongs() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Client(t)
			j := to(job("j"), "three", "token")
			c.change(&j)
			if err := streamAll(t, newClient(t, rdb), j); err == nil || err.Error() != c.want && !strings.HasPrefix(c.want, "targets: are missing") {
				t.Errorf("got %v, want %s", err, c.want)
			}
			wantEmpty(t, rdb)
		})
	}
}

func TestEverythingWrongIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	minus := -3
	_, err := newClient(t, rdb).Enqueue(t.Context(), push.Job{
		ID: "{j}", App: "shoop", Priority: "urgent", Delivery: "often", ExpiresAt: noon.Add(-time.Hour),
		Message: push.Message{
			Kind: "alert", Class: "promo", Category: "order", Channel: "\xff", CollapseID: "\xff", TTL: -1, Badge: &minus, Image: "i.png",
			Click: &push.Click{Action: "open"}, Overrides: map[string]json.RawMessage{"four": []byte("[]"), "nine": []byte("{}")},
		},
		Targets: map[string][]string{"thre": {"secret"}, "six": {"secret"}, "three": {"secret"}},
	})
	var invalid *push.InvalidError
	if !errors.As(err, &invalid) {
		t.Fatalf("got %v, want an InvalidError", err)
	}
	var got []string
	for _, f := range invalid.Faults {
		got = append(got, f.Field)
	}
	want := "app delivery expires_at id message.badge message.body message.category message.channel message.class " +
		"message.click.action message.click.target message.collapse_id message.image message.kind message.overrides.four " +
		"message.overrides.four message.overrides.nine message.title message.ttl priority targets.six targets.thre"
	if fields := strings.Join(got, " "); fields != want {
		t.Errorf("got the fields\n%s, want\n%s", fields, want)
	}
	noSecret(t, err.Error())
	wantEmpty(t, rdb)
}

func TestAFaultOfTwoVendorsIsSaidOnce(t *testing.T) {
	t.Parallel()
	long := func(*push.Message) []push.Fault { return []push.Fault{{Field: "message.title", Reason: "is too long"}} }
	c, err := push.NewClient(redistest.Client(t), push.Options{
		Vendors: []push.Vendor{{Name: "a", Batch: 1, Check: long}, {Name: "b", Batch: 1, Check: long}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = c.Enqueue(t.Context(), to(to(job("j"), "a", "t"), "b", "t")); err == nil || err.Error() != "message.title: is too long" {
		t.Errorf("got %v, want the fault once", err)
	}
}

func TestWhatARightJobMayHave(t *testing.T) {
	t.Parallel()
	zero := 0
	for _, c := range []struct {
		name   string
		change func(*push.Job)
	}{
		{"an id of the greatest length", func(j *push.Job) { j.ID = strings.Repeat("i", push.MaxIDBytes) }},
		{"an id in Chinese with a colon and a hyphen", func(j *push.Job) { j.ID = "订单:42-a/b" }},
		{"only data", func(j *push.Job) { j.Message = push.Message{Kind: push.Data, Data: map[string]string{"k": "v"}} }},
		{"a badge to clear", func(j *push.Job) { j.Message.Badge = &zero }},
		{"a category", func(j *push.Job) { j.Message.Category = "DEVICE_REMINDER" }},
		{"a click that opens the app", func(j *push.Job) { j.Message.Click = &push.Click{Action: push.ClickApp} }},
		{"a click with a target", func(j *push.Job) {
			j.Message.Click = &push.Click{Action: push.ClickIntent, Target: "intent:#Intent;end"}
		}},
		{"overrides", func(j *push.Job) { j.Message.Overrides = map[string]json.RawMessage{"five": []byte(`{"a":1}`)} }},
		{"an image", func(j *push.Job) { j.Message.Image = "https://shop.example/i.png" }},
		{"the longest ttl there is", func(j *push.Job) { j.Message.TTL = push.Duration(math.MaxInt64) }},
		{"a title that only another vendor would refuse", func(j *push.Job) { j.Message.Title = strings.Repeat("x", 21) }},
		{"an empty list for an unknown vendor", func(j *push.Job) { j.Targets["none"] = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Client(t)
			j := to(job("j"), "three", "a", "b")
			c.change(&j)
			if _, err := newClient(t, rdb).Enqueue(t.Context(), j); err != nil {
				t.Error(err)
			}
			b := open(t, rdb)
			b.wantTokens(t, j.ID, "three", []string{"a", "b"})
			m, err := push.DecodeMessage([]byte(b.tasks[0].chunk.Messages[0]))
			if err != nil || m.Title != j.Message.Title || m.TTL != j.Message.TTL {
				t.Errorf("the stored message is %+v, %v", m, err)
			}
		})
	}
}
