package feed_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

// go-redis repeats a command whose reply was lost; the count stays correct.
func TestConfirmAndDiscardCountCorrectlyWhenRepliesAreLost(t *testing.T) {
	t.Parallel()
	direct := redistest.Client(t)
	proxy, flaky := redistest.Flaky(t, direct)
	h := feed.Quarantine{Redis: flaky, Keep: time.Hour}
	for name, c := range map[string]struct {
		do  func() (int, error)
		fed int
	}{
		"confirm": {func() (int, error) { return h.Confirm(t.Context(), wire.EntryFilter{}) }, 5},
		"discard": {func() (int, error) { return h.Discard(t.Context(), wire.EntryFilter{}) }, 0},
	} {
		for n := 0; ; n++ { // 0: no reply is lost, and Redis loads the scripts
			direct.FlushDB(t.Context())
			for i := range 5 {
				addQuarantined(t, direct, fmt.Sprint("t", i))
			}
			proxy.Break(redistest.Nth(n, redistest.LoseAnswer))
			if got, err := c.do(); got != 5 || err != nil {
				t.Errorf("%s, reply %d lost: got %d, %v, want 5", name, n, got, err)
			}
			if got := len(tokens(t, direct, wire.InvalidStream)); got != c.fed {
				t.Errorf("%s, reply %d lost: %d entries in the feed, want %d", name, n, got, c.fed)
			}
			if got := len(tokens(t, direct, wire.QuarantineStream)); got != 0 {
				t.Errorf("%s, reply %d lost: %d entries are still quarantined", name, n, got)
			}
			if n > 0 && proxy.Commands() < n || t.Failed() {
				break
			}
		}
	}
}
