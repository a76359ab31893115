package deadletter_test

import (
	"testing"

	"github.com/postrider/postrider/internal/deadletter"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

// go-redis sends a command again whose answer was lost; what is counted stays right.
func TestReplayAndPurgeCountRightWhenAnswersAreLost(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*rig) deadletter.Sum{
		"replay": (*rig).replay,
		"purge": func(r *rig) deadletter.Sum {
			sum, err := r.store.Purge(r.Context(), wire.EntryFilter{})
			r.must(err)
			return sum
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct := redistest.Client(t)
			proxy, flaky := redistest.Flaky(t, direct)
			for n := 0; ; n++ { // 0: none is lost, and Redis has the scripts from then on
				direct.FlushDB(t.Context())
				r := rigOn(t, direct)
				r.die(r.send(job("a", numbered(11)...), job("b", "u1"))...)
				r.store.Redis = flaky
				proxy.Break(redistest.Nth(n, redistest.LoseAnswer))
				if got := do(r); got != (deadletter.Sum{Entries: 4, Tokens: 12}) {
					t.Errorf("answer %d lost: got %+v, want 4 entries with 12 tokens", n, got)
				}
				if left := len(r.all(wire.EntryFilter{})); left > 0 {
					t.Errorf("answer %d lost: %d entries are left", n, left)
				}
				if name == "replay" {
					r.once(r.tasks(), 12)
				}
				if n > 0 && proxy.Commands() < n || t.Failed() {
					return
				}
			}
		})
	}
}
