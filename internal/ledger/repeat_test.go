package ledger_test

import (
	"testing"

	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

// go-redis sends a command again whose answer was lost: the guard counts the
// tokens once, and so does the caller.
func TestFeedCountsRightWhenAnswersAreLost(t *testing.T) {
	t.Parallel()
	direct := redistest.Client(t)
	proxy, flaky := redistest.Flaky(t, direct)
	for n := 0; ; n++ { // 0: none is lost, and Redis has the scripts from then on
		direct.FlushDB(t.Context())
		s := &ledger.Store{Redis: flaky, Guard: ledger.Guard{Min: 20, Ratio: 0.9}}
		proxy.Break(redistest.Nth(n, redistest.LoseAnswer))
		added, standing, err := s.Feed(t.Context(), ledger.Found{
			App: "shop", Vendor: "huawei", Answered: 15,
			Invalid: []ledger.InvalidToken{{App: "shop", Vendor: "huawei", Token: "a"}, {App: "shop", Vendor: "huawei", Token: "b"}},
		})
		if added != 2 || standing != ledger.Fed || err != nil {
			t.Errorf("answer %d lost: got %d, %v, %v, want 2 fed", n, added, standing, err)
		}
		if got := direct.XLen(t.Context(), wire.InvalidStream).Val(); got != 2 {
			t.Errorf("answer %d lost: the feed has %d entries, want 2", n, got)
		}
		for _, count := range direct.HGetAll(t.Context(), wire.GuardKey("shop", "huawei", "")).Val() {
			if count != "15" && count != "2" {
				t.Errorf("answer %d lost: the guard counted %s", n, count)
			}
		}
		if n > 0 && proxy.Commands() < n || t.Failed() {
			return
		}
	}
}
