package oppo

import (
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestTTLIsWholeSecondsBetweenOneAndTenDays(t *testing.T) {
	t.Parallel()
	tests := map[time.Duration]int64{
		time.Nanosecond:         1,
		1500 * time.Millisecond: 1,
		24 * time.Hour:          86400,
		10 * 24 * time.Hour:     864000,
		11 * 24 * time.Hour:     864000,
	}
	for d, want := range tests {
		if got := seconds(d); got != want {
			t.Errorf("seconds(%v) is %d, want %d", d, got, want)
		}
	}
}

func TestCategoriesOfTheOtherClassAreLeftOut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		m    push.Message
		want string
	}{
		{"none", push.Message{}, ""},
		{"a service category", push.Message{Category: "ORDER"}, "ORDER"},
		{"a service category with its class", push.Message{Category: "IM", Class: push.Service}, "IM"},
		{"a service category in a marketing message", push.Message{Category: "ORDER", Class: push.Marketing}, ""},
		{"a marketing category", push.Message{Category: "NEWS", Class: push.Marketing}, "NEWS"},
		{"a marketing category in a service message", push.Message{Category: "NEWS"}, ""},
		{"a category that OPPO lacks", push.Message{Category: "VOIP"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := category(&tt.m); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLongTextHasItsOwnStyle(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{"": 1, strings.Repeat("汉", 50): 1, strings.Repeat("汉", 51): 2} {
		if got := style(body); got != want {
			t.Errorf("%d characters have style %d, want %d", len([]rune(body)), got, want)
		}
	}
}

func TestMarketingNeedsAnUploadForAnyNumberOfTokens(t *testing.T) {
	t.Parallel()
	a := &adapter{}
	for _, tokens := range [][]string{{"a"}, {"a", "b"}} {
		for class, want := range map[push.Class]bool{"": false, push.Service: false, push.Marketing: true} {
			if got := a.NeedsUpload(&vendors.Request{Message: &push.Message{Class: class}, Tokens: tokens}); got != want {
				t.Errorf("class %q with %d tokens: got %v, want %v", class, len(tokens), got, want)
			}
		}
	}
}
