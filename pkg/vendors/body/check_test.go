package body_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/body"
)

func TestClicksNeedATarget(t *testing.T) {
	t.Parallel()
	const target, action = "message.click.target", "message.click.action"
	tests := []struct {
		name      string
		click     *push.Click
		any, only string // the field at fault; only: for vendors that open only https
	}{
		{"no click opens the app", nil, "", ""},
		{"the app needs no target", &push.Click{Action: push.ClickApp}, "", ""},
		{"an https URL", &push.Click{Action: push.ClickURL, Target: "https://a"}, "", ""},
		{"an http URL", &push.Click{Action: push.ClickURL, Target: "http://a"}, "", target},
		{"only a scheme", &push.Click{Action: push.ClickURL, Target: "https://"}, "", target},
		{"a URL that is missing", &push.Click{Action: push.ClickURL}, target, target},
		{"an intent that is missing", &push.Click{Action: push.ClickIntent}, target, target},
		{"an activity that is missing", &push.Click{Action: push.ClickActivity}, target, target},
		{"an activity", &push.Click{Action: push.ClickActivity, Target: "a.B"}, "", ""},
		{"an unknown action", &push.Click{Action: "dance"}, action, action},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := fields(body.CheckClick(tt.click)); got != tt.any {
				t.Errorf("got %q, want %q", got, tt.any)
			}
			if got := fields(body.CheckHTTPS(&push.Message{Click: tt.click})); got != tt.only {
				t.Errorf("if only https opens: got %q, want %q", got, tt.only)
			}
		})
	}
}

func TestAnImageIsHTTPSIfOnlyHTTPSOpens(t *testing.T) {
	t.Parallel()
	for image, want := range map[string]string{"": "", "https://a/b.png": "", "http://a/b.png": "message.image", "https://": "message.image"} {
		if got := fields(body.CheckHTTPS(&push.Message{Image: image})); got != want {
			t.Errorf("%q: got %q, want %q", image, got, want)
		}
	}
}

func TestAMessageThatIsTooLargeIsRefusedWithItsLargestPart(t *testing.T) {
	t.Parallel()
	m := &push.Message{Title: "title", Body: "b"}
	if got := body.CheckSize(m, "some", 10, nil, "Somebody's request", 10); got != nil {
		t.Errorf("got %v at the limit, want no fault", got)
	}
	for _, c := range []struct {
		change func(*push.Message)
		field  string
		bytes  int
	}{
		{func(*push.Message) {}, "message.title", 5},
		{func(m *push.Message) { m.Body = "a body" }, "message.body", 6},
		{func(m *push.Message) { m.Data = map[string]string{"key": "v", "k": "vv"} }, "message.data", 7},
		{func(m *push.Message) { m.Click = &push.Click{Action: push.ClickURL, Target: "https://"} }, "message.click.target", 8},
		{func(m *push.Message) { m.Overrides = map[string]json.RawMessage{"some": json.RawMessage(`{"k":"v"}`)} }, "message.overrides.some", 9},
		{func(m *push.Message) { m.Overrides = map[string]json.RawMessage{"other": json.RawMessage(`{"k":"v"}`)} }, "message.title", 5},
	} {
		m := *m
		c.change(&m)
		want := []push.Fault{{Field: c.field, Reason: fmt.Sprintf(
			"is the largest part, with %d bytes, of a message that has 11 as Somebody's request; 10 are allowed", c.bytes)}}
		if got := body.CheckSize(&m, "some", 11, nil, "Somebody's request", 10); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if got := body.CheckSize(m, "some", 0, errors.New("no JSON"), "Somebody's request", 10); fields(got) != "message" {
		t.Errorf("got %v for a message that cannot be encoded, want a fault", got)
	}
}

func TestNotificationsNeedTheirTexts(t *testing.T) {
	t.Parallel()
	want := []push.Fault{
		{Field: "message.title", Reason: "is required for a notification at Somebody"},
		{Field: "message.body", Reason: "is required for a notification at Somebody"},
		{Field: "message.badge", Reason: "must be 0 or more"},
	}
	if got := body.CheckTexts(&push.Message{Badge: new(-1)}, "Somebody"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := body.CheckTexts(&push.Message{Title: "t", Body: "b", Badge: new(0)}, "Somebody"); got != nil {
		t.Errorf("got %v, want none", got)
	}
}

func fields(faults []push.Fault) string {
	s := ""
	for _, f := range faults {
		s += f.Field
	}
	return s
}
