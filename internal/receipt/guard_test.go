package receipt_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestReceiptsThatCallNearlyAllInvalidAreQuarantined(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ arrived, gone, fed, held int }{
		"nearly all": {1, 30, 0, 30},
		"half":       {30, 30, 30, 0},
		"a few":      {0, 19, 19, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			var log bytes.Buffer
			r.book.Guard, r.cfg.Log = ledger.Guard{Min: 20, Ratio: 0.9}, zerolog.New(&log)
			// Successful answers to the requests must not hide bad receipts.
			if _, _, err := r.book.Feed(t.Context(), ledger.Found{App: "shop", Vendor: "huawei", Answered: 1000}); err != nil {
				t.Fatal(err)
			}
			var items []string
			for i := range c.arrived {
				items = append(items, fmt.Sprintf("fine-%d 0", i))
			}
			for i := range c.gone {
				items = append(items, fmt.Sprintf("gone-%d 2", i))
			}
			r.deliver("huawei", statuses(tag, items...))
			r.drain()
			fed, held := r.rdb.XLen(t.Context(), wire.InvalidStream).Val(), r.rdb.XLen(t.Context(), wire.QuarantineStream).Val()
			if int(fed) != c.fed || int(held) != c.held || r.meter.fed != c.fed || r.meter.quarantined != c.held {
				t.Errorf("%d in the feed and %d in quarantine, counted as %d and %d, want %d and %d", fed, held, r.meter.fed, r.meter.quarantined, c.fed, c.held)
			}
			if alarms := strings.Count(log.String(), `"level":"error"`); alarms != min(1, c.held) {
				t.Errorf("%d alarms:\n%s", alarms, log.String())
			}
		})
	}
}
