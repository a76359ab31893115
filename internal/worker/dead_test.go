package worker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/internal/deadletter"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/internal/simulator"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors/registry"
)

// asynq keeps 10,000 archived tasks and trims the rest without a word. Ours are
// all there, and when the vendor is well again a replay sends each once.
func TestTwentyFiveThousandChunksThatDieAreAsManyDeadLetters(t *testing.T) {
	t.Parallel()
	const n = 25_000
	r := newRig(t, redistest.Client(t))
	text := fmt.Sprintf(settings, redistest.URL(r.rdb), password, "100001", secret, r.url)
	text = strings.Replace(text, "rate: 0", "rate: 0, batch: 1", 1) + "retry: {attempts: 1}\n"
	c, err := config.Parse("test.yaml", []byte(text), registry.All(), config.Source{})
	r.must(err)
	r.client, err = push.NewClient(r.rdb, push.Options{Vendors: registry.ForClient(), Apps: c.ForClient()})
	r.must(err)
	r.must(r.sim.SetFaults([]simulator.Fault{{Endpoint: "send", Status: 500}}))
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprint("token-of-a-phone-", i)
	}
	r.enqueue("campaign", tokens...)
	r.start(c)
	r.within(3*time.Minute, "every chunk is dead", func() bool {
		st, err := r.book.Status(t.Context(), "campaign")
		return err == nil && st.Dead == n
	})
	dead := deadletter.Store{Redis: r.rdb}
	var letters []string
	r.must(dead.Each(t.Context(), deadletter.Filter{}, func(e *deadletter.Entry) error {
		letters = append(letters, e.List()...)
		return nil
	}))
	slices.Sort(letters)
	if all := len(letters); all != n || len(slices.Compact(letters)) != n {
		t.Errorf("%d dead letters for %d tokens, want one for each of %d", all, len(slices.Compact(letters)), n)
	}
	r.must(r.sim.SetFaults(nil))
	for _, want := range []deadletter.Sum{{Entries: n, Tokens: n}, {}} {
		got, left, err := dead.Replay(t.Context(), deadletter.Filter{}, time.Time{})
		if err != nil || got != want || len(left) > 0 {
			t.Errorf("the replay moved %+v and left %d, %v; want %+v", got, len(left), err, want)
		}
	}
	r.within(3*time.Minute, "everything is delivered", func() bool {
		st, err := r.book.Status(t.Context(), "campaign")
		return err == nil && st.Delivered == n
	})
	if got := r.sim.Report().Vendors["huawei"]; got.Distinct != n || got.Duplicates != 0 {
		t.Errorf("the vendor took %d tokens and %d duplicates, want %d once each", got.Distinct, got.Duplicates, n)
	}
	if left := r.rdb.XLen(t.Context(), "postrider:dead").Val(); left != 0 {
		t.Errorf("%d dead letters are left", left)
	}
}
