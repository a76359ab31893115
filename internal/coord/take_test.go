package coord_test

import (
	"testing"
	"time"

	"github.com/postrider/postrider/internal/coord"
	"github.com/postrider/postrider/internal/redistest"
)

// go-redis sends the script again when its reply was lost, and it must say again
// that the key is ours.
func TestAKeyThatWasTakenIsOursAlsoWhenTheReplyWasLost(t *testing.T) {
	t.Parallel()
	direct := redistest.Client(t)
	proxy, flaky := redistest.Flaky(t, direct)
	for n := 0; ; n++ { // 0: none is lost, and Redis has the scripts from then on
		direct.FlushDB(t.Context())
		proxy.Break(redistest.Nth(n, redistest.LoseAnswer))
		ok, err := coord.Take(t.Context(), flaky, "turn", "me", time.Minute)
		if !ok || err != nil {
			t.Errorf("answer %d lost: got %v, %v, want the key", n, ok, err)
		}
		if ttl := direct.PTTL(t.Context(), "turn").Val(); ttl <= 50*time.Second || ttl > time.Minute {
			t.Errorf("answer %d lost: the key ends in %v, want a minute", n, ttl)
		}
		if ok, err := coord.Take(t.Context(), direct, "turn", "another", time.Minute); ok || err != nil {
			t.Errorf("answer %d lost: another got %v, %v, want that the key is taken", n, ok, err)
		}
		if n > 0 && proxy.Commands() < n || t.Failed() {
			return
		}
	}
}
