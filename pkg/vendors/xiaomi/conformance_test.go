package xiaomi

import (
	"testing"

	"github.com/postrider/postrider/internal/vendortest"
)

func TestConformance(t *testing.T) { vendortest.Run(t, Spec(), "testdata") }

func FuzzReceipts(f *testing.F) { vendortest.FuzzReceipts(f, Spec(), "testdata") }
