package text_test

import (
	"strings"
	"testing"

	"github.com/postrider/postrider/pkg/push/text"
)

func TestNameShowsNamesWholeAndTokensCutShort(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"", "huawie", "nokia", "shop-2", "com.example.production", "shipping_address_line_two", "标题", "order-42-shipped", "priorty",
	} {
		if got := text.Name(name); got != name {
			t.Errorf("%s is shown as %q, want it whole", name, got)
		}
	}
	for token, want := range map[string]string{
		"IQAAAACy0ZxVAADqRGJ2cGZ6ZmVkZmRkZmRkZmQ=": "IQAA…Q= (40 characters)",
		"CN_fe8f2b0a1c9d4e5f8a7b6c5d4e3f2a1b":      "CN_f…1b (35 characters)",
		"15509230004381400131234":                  "1550…34 (23 characters)",
		"13800138000":                              "138…0 (11 characters)",
		"12345":                                    "1… (5 characters)",
		"token/with+signs":                         "toke…ns (16 characters)",
		"\x1b[31mred":                              `\x1b[…d (8 characters)`,
		"tok\xff":                                  "t… (4 characters)",
		strings.Repeat("name-", 20):                "name…e- (100 characters)",
	} {
		if got := text.Name(token); got != want {
			t.Errorf("%q is shown as %q, want %q", token, got, want)
		}
	}
}

func TestMaskedShowsAtMostHalf(t *testing.T) {
	t.Parallel()
	for n := range 40 {
		token := strings.Repeat("x", n)
		if got := strings.Count(text.Masked(token), "x"); got > n/2 || got > 6 {
			t.Errorf("%d of %d characters are shown", got, n)
		}
	}
}

func TestNearestFindsTheWordThatWasMeant(t *testing.T) {
	t.Parallel()
	known := []string{"huawei", "harmony", "honor", "client_id"}
	for word, want := range map[string]string{
		"huawie": "huawei", "Huawei": "huawei", "client-id": "client_id", "hnor": "honor", "nokia": "", "": "",
	} {
		if got := text.Nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
