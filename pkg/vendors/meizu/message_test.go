package meizu

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
)

func TestValidTimeIsWholeHoursBetweenOneAndSeventyTwo(t *testing.T) {
	t.Parallel()
	tests := map[time.Duration]int64{
		time.Nanosecond:               1,
		time.Hour:                     1,
		119*time.Minute - time.Second: 1,
		2 * time.Hour:                 2,
		24*time.Hour - 20*time.Second: 24,
		24*time.Hour - 2*time.Minute:  23,
		72 * time.Hour:                72,
		30 * 24 * time.Hour:           72,
		1<<63 - 1:                     72,
	}
	for d, want := range tests {
		if got := pushTimeFor(d); got.ValidTime != want || got.OffLine != 1 {
			t.Errorf("%v is %+v, want validTime %d and offLine 1", d, got, want)
		}
	}
}

func TestNotifyKeyIsTheSameOnEveryRetry(t *testing.T) {
	t.Parallel()
	plain, collapsing := &push.Message{}, &push.Message{CollapseID: "order-42"}
	first, again, other := notifyKey(plain, "a"), notifyKey(plain, "a"), notifyKey(plain, "b")
	if first != again || first == other {
		t.Error("without a collapse id, want a different notifyKey for each key")
	}
	if notifyKey(collapsing, "a") != notifyKey(collapsing, "b") {
		t.Error("with a collapse id, want one notifyKey for all keys")
	}
	form := regexp.MustCompile(`^[0-9A-Za-z_-]{1,8}$`)
	rapid.Check(t, func(t *rapid.T) {
		if key := notifyKey(plain, rapid.String().Draw(t, "key")); !form.MatchString(key) {
			t.Fatalf("got %q, which Meizu does not allow", key)
		}
	})
}

func TestSendThatCannotBeEncodedMakesNoRequest(t *testing.T) {
	t.Parallel()
	s := Settings{AppID: "1", AppSecret: vendors.NewSecret("s"), BaseURL: "http://127.0.0.1:1"}
	m := &push.Message{Overrides: map[string]json.RawMessage{Name: json.RawMessage(`{"pushIds":"x"}`)}}
	_, err := s.Open(nil).Send(t.Context(), &vendors.Request{Message: m, Tokens: []string{"a"}, TTL: time.Hour, Key: testKey})
	if err == nil || !strings.Contains(err.Error(), "send: transport/dial: merge overrides") {
		t.Errorf("got %v, want a refusal before any request", err)
	}
}
