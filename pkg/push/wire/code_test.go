package wire_test

import (
	"maps"
	"testing"
	"time"

	"github.com/postrider/postrider/pkg/push/wire"
)

func TestShortCode(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"huawei/response/80000000":   "h:80000000",
		"harmony/token/noRight":      "a.noRight",
		"honor/http/403":             "n#403",
		"oppo/response/0":            "o:0",
		"vivo/receipt/5":             "v&5",
		"xiaomi/transport/timeout":   "x!timeout",
		"meizu/response/110010":      "m:110010",
		"tim/callback/1":             "t@1",
		"huawei/auth/1203/500":       "h~1203/500",
		"nova/response/1":            "nova/response/1",
		"huawei/gate/1":              "huawei/gate/1",
		"huawei":                     "huawei",
		"oppo/response/a b=c%":       "o:a%20b%3Dc%25",
		"a vendor/of=another/format": "a%20vendor/of%3Danother/format",
	} {
		if got := wire.ShortCode(code); got != want {
			t.Errorf("%q is written %q, want %q", code, got, want)
		}
	}
}

// Whatever a code holds, a ledger gives it back.
func FuzzSingleCode(f *testing.F) {
	for _, number := range []string{"80000000", "h:1", "", "%20", "%2520", "a b", "x=3", "50%", "/", "1203/500"} {
		f.Add(number, 2)
	}
	f.Fuzz(func(t *testing.T, number string, n int) {
		want := map[string]int{}
		for _, before := range []string{"huawei/response/", "huawei/token/", "nova/http/", "huawei/gate/"} {
			want[before+number] = max(1, n)
		}
		l := wire.Single{Outcome: wire.Delivered, App: "shop", Ended: time.Unix(1763686800, 0), Codes: want}
		got, err := wire.DecodeSingle(l.Encode())
		if err != nil || !maps.Equal(got.Codes, want) {
			t.Errorf("%q is read as %v, %v", l.Encode(), got.Codes, err)
		}
	})
}
