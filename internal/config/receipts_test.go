package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// blocks are the settings of the vendors that get the address with every request.
var blocks = map[string]string{
	"oppo":   "app_key: k, master_secret: s",
	"vivo":   "app_id: 1, app_key: k, app_secret: s",
	"xiaomi": "app_secret: s, package_name: com.example",
	"meizu":  "app_id: '1', app_secret: s",
}

// limits are the vendors' documented limits in bytes; Xiaomi's is our own.
var limits = map[string]int{"oppo": 200, "vivo": 128, "xiaomi": 256, "meizu": 128}

func TestAReceiptAddressThatIsTooLongForTheVendorIsRefused(t *testing.T) {
	t.Parallel()
	for _, spec := range registry.All() {
		if spec.Receipts.LongestURL != limits[spec.Name] {
			t.Errorf("%s takes %d bytes, want %d: is the new vendor in this test's tables?", spec.Name, spec.Receipts.LongestURL, limits[spec.Name])
		}
	}
	for vendor, limit := range limits {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			parse := func(bytes int) error {
				base, rest := "https://push.example.com/", "/receipts/shop/"+vendor+"/s3cret"
				base += strings.Repeat("é", (bytes-len(base)-len(rest))/2) // two bytes each
				base += strings.Repeat("p", bytes-len(base)-len(rest))
				text := fmt.Sprintf("apps: {shop: {%s: {%s, receipts: {url: %q, secret: s3cret}}}}", vendor, blocks[vendor], base)
				_, err := config.Parse("own.yaml", []byte(text), registry.All(), config.Source{})
				return err
			}
			if err := parse(limit); err != nil {
				t.Errorf("%d bytes: %v, want no error", limit, err)
			}
			err := parse(limit + 1)
			for _, want := range []string{"own.yaml:1", "apps.shop." + vendor + ".receipts.url", fmt.Sprintf("%d bytes", limit+1), fmt.Sprintf("takes %d", limit)} {
				if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("got %v, want %q in it and no secret", err, want)
				}
			}
		})
	}
}
