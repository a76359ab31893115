package vendortest

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/postrider/postrider/pkg/push"
)

// FaultsAt fails the test unless the faults are at the wanted fields, in order.
func FaultsAt(t *testing.T, faults []push.Fault, want ...string) {
	t.Helper()
	var got []string
	for _, f := range faults {
		got = append(got, f.Field)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got faults at %q, want %q", got, want)
	}
}

// ChecksAsAll runs subtests for the faults that every vendor's check has to find:
// missing texts, and overrides that are not an object.
func ChecksAsAll(t *testing.T, vendor string, check func(*push.Message) []push.Fault) {
	over := func(vendor, object string) push.Message {
		return push.Message{Title: "t", Body: "b", Overrides: map[string]json.RawMessage{vendor: json.RawMessage(object)}}
	}
	overrides := []string{"message.overrides." + vendor}
	tests := []struct {
		name string
		m    push.Message
		want []string
	}{
		{"a plain notification", push.Message{Title: "t", Body: "b"}, nil},
		{"a notification needs title and body", push.Message{}, []string{"message.title", "message.body"}},
		{"overrides are an object", over(vendor, `[1]`), overrides},
		{"overrides are not null", over(vendor, `null`), overrides},
		{"overrides are one object", over(vendor, `{} {}`), overrides},
		{"overrides of another vendor do not matter", over("not "+vendor, `[]`), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			FaultsAt(t, check(&tt.m), tt.want...)
		})
	}
}
