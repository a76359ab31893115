package feed

import (
	"strconv"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

// A task may name any app, so what is remembered of apps is bounded.
func TestFewAppsAreRemembered(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	gone := &Gone{Redis: redistest.Client(t), Now: func() time.Time { return now }}
	entries := []wire.Entry{{Start: 1, Tokens: []string{"a"}}}
	for i := range 2*maxKnown + 1 {
		if i == maxKnown {
			now = now.Add(goneFor)
		}
		if _, err := gone.Dead(t.Context(), "app"+strconv.Itoa(i), "huawei", entries); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(gone.known); n != maxKnown {
		t.Errorf("%d apps are remembered, want %d", n, maxKnown)
	}
	if _, ok := gone.known[wire.GoneKey("app"+strconv.Itoa(maxKnown), "huawei")]; !ok {
		t.Error("the app that came after the others were forgotten is not remembered")
	}
}
