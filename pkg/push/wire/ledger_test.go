package wire_test

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postrider/postrider/pkg/push/wire"
)

// singles are the lines of testdata/single.golden.
func singles() []wire.Single {
	end := time.Unix(1764000000, 0)
	none := map[string]int{}
	return []wire.Single{
		{Outcome: wire.Pending, App: "shop", Codes: none},
		{Outcome: wire.Pending, App: "shop", Keep: 24 * time.Hour, Codes: none},
		{Outcome: wire.Pending, Canceling: true, App: "shop", Codes: map[string]int{"huawei/http/503": 2}},
		{Outcome: wire.Delivered, App: "shop", Ended: end, Codes: map[string]int{"huawei/response/80000000": 1}},
		{Outcome: wire.Invalid, App: "shop", Ended: end, Codes: map[string]int{"acme/token/7": 1}},
		{Outcome: wire.Dropped, App: "shop", Ended: end, Codes: map[string]int{"xiaomi/response/a code=with%marks": 1}},
		{Outcome: wire.Expired, App: "shop", Ended: end, Codes: none},
		{Outcome: wire.Dead, App: "shop", Ended: end, Codes: map[string]int{"meizu/token/110010": 1}},
		{Outcome: wire.Canceled, App: "shop", Ended: end, Codes: none},
	}
}

func TestStoredSingleLedgersStayAsTheyAre(t *testing.T) {
	t.Parallel()
	for i, line := range lines(t, "single.golden") {
		want := singles()[i]
		got, err := wire.DecodeSingle(line)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s reads as %+v, %v, want %+v", line, got, err, want)
		}
		if got := want.Encode(); got != line {
			t.Errorf("%+v is written %q, want %q", want, got, line)
		}
	}
}

func TestEveryOutcomeHasALetterOfItsOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]wire.Outcome{wire.CanceledSingle: "canceled while pending"}
	for _, o := range append(wire.Outcomes(), wire.Pending) {
		letter := o.Letter()
		if other, twice := seen[letter]; twice || len(letter) != 1 {
			t.Errorf("%s has the letter %q, and so has %q", o, letter, other)
		}
		seen[letter] = o
	}
}

func TestAMalformedSingleLedgerIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, ledger string
		newer        bool
	}{
		{"the next version", "2d0 shop", true},
		{"the next version in another form", "2", true},
		{"nothing", "", false},
		{"a version before the first", "0p0 shop", false},
		{"something else", "hello shop", false},
		{"no outcome", "1 shop", false},
		{"an unknown outcome", "1z0 shop", false},
		{"no number", "1p shop", false},
		{"no app", "1p0", false},
		{"a number below zero", "1p-5 shop", false},
		{"a number beyond all time", "1pzzzzzzzzzz shop", false},
		{"a count that is not a number", "1p! shop", false},
		{"a count that is no number", "1p0 shop huawei/http/503=two", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, err := wire.DecodeSingle(c.ledger)
			if err == nil || errors.Is(err, wire.ErrNewer) != c.newer {
				t.Errorf("got %+v, %v, want an error, newer: %v", l, err, c.newer)
			}
		})
	}
}

func TestASingleLedgerReadsAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := wire.Single{
			Outcome: rapid.SampledFrom(append(wire.Outcomes(), wire.Pending)).Draw(t, "outcome"),
			App:     rapid.StringMatching("[a-z=_-]{1,20}").Draw(t, "app"),
			Codes:   rapid.MapOfN(rapid.Custom(drawCode), rapid.IntRange(1, 9999), 0, 4).Draw(t, "codes"),
		}
		for _, receipt := range wire.Receipts() {
			if rapid.Bool().Draw(t, string(receipt)) {
				want.Receipts = append(want.Receipts, receipt)
			}
		}
		number := rapid.Int64Range(0, 1<<32).Draw(t, "number")
		if want.Outcome == wire.Pending {
			want.Keep, want.Canceling = time.Duration(number)*time.Second, rapid.Bool().Draw(t, "canceling")
		} else {
			want.Ended = time.Unix(number, 0)
		}
		got, err := wire.DecodeSingle(want.Encode())
		if err != nil || !sameSingle(got, want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

// drawCode makes a code of a vendor and level that have short forms, or of others.
func drawCode(t *rapid.T) string {
	vendor := rapid.SampledFrom([]string{"huawei", "harmony", "honor", "oppo", "vivo", "xiaomi", "meizu", "tim", "acme"})
	level := rapid.SampledFrom([]string{"transport", "http", "auth", "response", "token", "receipt", "callback", "other"})
	return vendor.Draw(t, "vendor") + "/" + level.Draw(t, "level") + "/" + rapid.StringMatching(`[0-9a-z/%= .:_-]{0,8}`).Draw(t, "code")
}

func TestCodesAreWrittenShort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, code, want string }{
		{"a vendor and level that are listed", "tim/callback/60011", "t@60011"},
		{"a vendor that is not", "acme/response/1", "acme/response/1"},
		{"a level that is not", "huawei/other/1", "huawei/other/1"},
		{"a word that separates a ledger's parts", "vivo/auth/a b=c%d", "v~a%20b%3Dc%25d"},
		{"no levels at all", "unknown-outcome", "unknown-outcome"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := wire.ShortCode(c.code); got != c.want {
				t.Errorf("%s is written %s, want %s", c.code, got, c.want)
			}
		})
	}
}

func sameSingle(a, b wire.Single) bool {
	return a.Outcome == b.Outcome && a.Canceling == b.Canceling && a.App == b.App && a.Keep == b.Keep &&
		a.Ended.Equal(b.Ended) && maps.Equal(a.Codes, b.Codes) && slices.Equal(a.Receipts, b.Receipts)
}
