package feed

import (
	"strconv"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

// A task may name any app, so the number of cached apps is bounded.
func TestTheNumberOfCachedAppsIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	known := &InvalidTokens{Redis: redistest.Client(t), Now: func() time.Time { return now }}
	entries := []wire.Entry{{Start: 1, Tokens: []string{"a"}}}
	for i := range 2*maxKnown + 1 {
		if i == maxKnown {
			now = now.Add(cacheFor)
		}
		if _, err := known.Dead(t.Context(), "app"+strconv.Itoa(i), "huawei", entries); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(known.known); n != maxKnown {
		t.Errorf("%d apps are cached, want %d", n, maxKnown)
	}
	if _, ok := known.known[wire.GoneKey("app"+strconv.Itoa(maxKnown), "huawei")]; !ok {
		t.Error("a new app is not cached after the old entries expired")
	}
}
