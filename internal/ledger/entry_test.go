package ledger_test

import (
	"maps"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
)

func invalidToken() ledger.InvalidToken {
	return ledger.InvalidToken{
		App: "shop", Vendor: "huawei", Token: "t1", Code: gone, Reason: "every token of the request is invalid", Job: "a", Action: "delete",
	}
}

func deadLetter() ledger.DeadLetter {
	return ledger.DeadLetter{
		App: "shop", Vendor: "huawei", Job: "a", Code: broken, Reason: wire.DeadAttempts, Detail: "EOF", Class: "retryable", Attempts: 8, Tokens: "t1\nt2",
		Message: `{"title":"Shipped"}`, Priority: "bulk", Delivery: "at-most-once", Key: "000102030405060708090a0b0c0d0e0f", Start: 1763686800000, Expires: 1763773200000,
	}
}

// The fields are those that applications were promised, and no others.
func TestEntriesHaveTheFieldsOfTheContract(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := time.Date(2026, 11, 21, 9, 0, 0, 5e6, time.FixedZone("CST", 8*3600))
	r.book.Now = func() time.Time { return at }
	r.enqueue(job("a", "t1", "t2"))
	s := step(r.load(), gone, wire.Invalid, wire.Dead)
	replaced := invalidToken()
	replaced.Action, replaced.Replacement = "replace", "t9"
	s.Invalid = []ledger.InvalidToken{invalidToken(), replaced}
	s.Dead = []ledger.DeadLetter{deadLetter()}
	r.settle(s)

	const when = "2026-11-21T01:00:00.005Z"
	invalid := map[string]any{
		"app": "shop", "vendor": "huawei", "token": "t1", "code": gone, "reason": "every token of the request is invalid",
		"job": "a", "at": when, "action": "delete",
	}
	other := maps.Clone(invalid)
	other["action"], other["replacement"] = "replace", "t9"
	r.wantEntries(wire.InvalidStream, invalid, other)
	r.wantEntries(wire.DeadStream, map[string]any{
		"app": "shop", "vendor": "huawei", "job": "a", "code": broken, "reason": "attempts", "detail": "EOF", "v": "2", "class": "retryable", "attempts": "8",
		"at": when, "tokens": "t1\nt2",
		// What a replay needs.
		"message": `{"title":"Shipped"}`, "priority": "bulk", "delivery": "at-most-once", "start": "1763686800000", "expires": "1763773200000",
		"key": "000102030405060708090a0b0c0d0e0f",
	})
}

func (r *rig) wantEntries(stream string, want ...map[string]any) {
	r.Helper()
	got, err := r.rdb.XRange(r.Context(), stream, "-", "+").Result()
	r.must(err)
	if len(got) != len(want) {
		r.Fatalf("%s has %d entries, want %d", stream, len(got), len(want))
	}
	for i := range got {
		if !maps.Equal(got[i].Values, want[i]) {
			r.Errorf("entry %d of %s is\n%v, want\n%v", i, stream, got[i].Values, want[i])
		}
	}
}
