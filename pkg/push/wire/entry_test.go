package wire_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/push/wire"
)

// stored is an entry as Redis returns it.
func stored(words []any) map[string]any {
	values := map[string]any{}
	for i := 0; i < len(words); i += 2 {
		if b, ok := words[i+1].([]byte); ok {
			words[i+1] = string(b)
		}
		values[fmt.Sprint(words[i])] = fmt.Sprint(words[i+1])
	}
	return values
}

func TestEntriesAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	invalid := wire.InvalidEntry{
		App: "shop", Vendor: "huawei", Token: "t", Code: "huawei/response/1", Reason: "gone", Job: "j", At: "2026-11-21T01:00:00Z",
		Action: "replace", Replacement: "n",
	}
	if got := wire.DecodeInvalidEntry(stored(invalid.Words())); got != invalid {
		t.Errorf("got %+v, want %+v", got, invalid)
	}
	dead := wire.DeadEntry{
		Version: wire.DeadVersion, App: "shop", Vendor: "huawei", Job: "j", Code: "huawei/http/503", Class: "retryable",
		Reason: wire.DeadAttempts, Detail: "EOF", Attempts: 8, At: "2026-11-21T01:00:00Z", Tokens: "a\nb", Message: "{}",
		Priority: "bulk", Delivery: "at-most-once", Key: "000102030405060708090a0b0c0d0e0f", Start: 1, Expires: 2,
	}
	if got := wire.DecodeDeadEntry(stored(dead.Words())); got != dead {
		t.Errorf("got %+v, want %+v", got, dead)
	}
	old := wire.DecodeDeadEntry(map[string]any{"reason": "attempts: EOF: again", "attempts": "many", "start": "x"})
	if want := (wire.DeadEntry{Version: 1, Reason: wire.DeadAttempts, Detail: "EOF: again"}); old != want {
		t.Errorf("version 1: got %+v, want %+v", old, want)
	}
	receipt := wire.ReceiptEntry{App: "shop", Vendor: "huawei", At: 7, Receipts: []byte("[]")}
	got, err := wire.DecodeReceiptEntry(stored(receipt.Words()))
	if err != nil || got.App != "shop" || got.Vendor != "huawei" || got.At != 7 || string(got.Receipts) != "[]" {
		t.Errorf("got %+v, %v, want %+v", got, err, receipt)
	}
	newer := stored(receipt.Words())
	newer["v"] = "2"
	if _, err := wire.DecodeReceiptEntry(newer); !errors.Is(err, wire.ErrNewer) {
		t.Errorf("a newer version: got %v", err)
	}
	if got := stored(wire.RefusedEntry{ID: "1-0", Job: "j", Reason: "why"}.Words()); len(got) != 3 {
		t.Errorf("a refused job has the fields %v, want id, job and reason", got)
	}
}

func TestAFilterChoosesEntries(t *testing.T) {
	t.Parallel()
	const code = "huawei/auth/1203/500"
	for name, c := range map[string]struct {
		f    wire.EntryFilter
		want bool
	}{
		"everything":       {wire.EntryFilter{}, true},
		"all fields":       {wire.EntryFilter{App: "shop", Vendor: "huawei", Job: "j", Code: code}, true},
		"the vendor's own": {wire.EntryFilter{Code: "1203/500"}, true},
		"a part of it":     {wire.EntryFilter{Code: "1203"}, false},
		"another app":      {wire.EntryFilter{App: "mini"}, false},
		"another vendor":   {wire.EntryFilter{Vendor: "oppo"}, false},
		"another job":      {wire.EntryFilter{Job: "k"}, false},
	} {
		if got := c.f.Matches("shop", "huawei", "j", code); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	for since, want := range map[time.Time]string{{}: "-", time.UnixMilli(0): "-", time.UnixMilli(5): "5"} {
		if got := (wire.EntryFilter{Since: since}).First(); got != want {
			t.Errorf("since %v the first id is %q, want %q", since, got, want)
		}
	}
}
