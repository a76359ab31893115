package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// The limits are the vendors' documented ones, pinned in their spec.golden.
func TestAReceiptAddressThatIsTooLongForTheVendorIsRefused(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, spec := range registry.All() {
		if spec.Receipts == nil || spec.Receipts.LongestURL == 0 {
			continue
		}
		tried++
		vendor, limit := spec.Name, spec.Receipts.LongestURL
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			parse := func(bytes int) error {
				base, rest := "https://push.example.com/", "/receipts/shop/"+vendor+"/s3cret"
				base += strings.Repeat("é", (bytes-len(base)-len(rest))/2) // two bytes each
				base += strings.Repeat("p", bytes-len(base)-len(rest))
				text := fmt.Sprintf("apps:\n  shop:\n    %s:\n", vendor)
				for line := range strings.Lines(strings.ReplaceAll(spec.Demo, "%BASE%", "https://vendor.example")) {
					text += "      " + line
				}
				text += fmt.Sprintf("      receipts: {url: %q, secret: s3cret}\n", base)
				_, err := config.Parse("own.yaml", []byte(text), registry.All(), config.Source{})
				return err
			}
			if err := parse(limit); err != nil {
				t.Errorf("%d bytes: %v, want no error", limit, err)
			}
			err := parse(limit + 1)
			for _, want := range []string{"apps.shop." + vendor + ".receipts.url", fmt.Sprintf("%d bytes", limit+1), fmt.Sprintf("takes %d", limit)} {
				if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("got %v, want %q in it and no secret", err, want)
				}
			}
		})
	}
	if tried < 4 {
		t.Errorf("tried %d vendors, want at least 4", tried)
	}
}
