package coord_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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

func TestReleaseDeletesOnlyItsOwnValue(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	rdb.Set(t.Context(), "lock", "another", 0)
	if err := coord.Release(t.Context(), rdb, "lock", "me"); err != nil || rdb.Get(t.Context(), "lock").Val() != "another" {
		t.Errorf("another's lock: %v, the key holds %q", err, rdb.Get(t.Context(), "lock").Val())
	}
	rdb.Set(t.Context(), "lock", "me", 0)
	for range 2 { // sent again, it finds nothing
		if err := coord.Release(t.Context(), rdb, "lock", "me"); err != nil || rdb.Exists(t.Context(), "lock").Val() != 0 {
			t.Errorf("the own lock: %v, it is still there", err)
		}
	}
}

func TestEachPageReadsWhatWasThereAtTheBeginning(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	for i := range 7 {
		rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: "s", ID: fmt.Sprintf("%d-0", i+1), Values: []any{"n", i}})
	}
	var got []string
	err := coord.EachPage(t.Context(), rdb, "s", "2", 3, func(page []redis.XMessage) error {
		rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: "s", Values: []any{"n", "new"}})
		for _, m := range page {
			got = append(got, m.ID)
		}
		return nil
	})
	if want := []string{"2-0", "3-0", "4-0", "5-0", "6-0", "7-0"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	fault := errors.New("enough")
	if err := coord.EachPage(t.Context(), rdb, "s", "-", 3, func([]redis.XMessage) error { return fault }); !errors.Is(err, fault) {
		t.Errorf("got %v, want the error of do", err)
	}
	if err := coord.EachPage(t.Context(), rdb, "empty", "-", 3, func([]redis.XMessage) error { return fault }); err != nil {
		t.Errorf("an empty stream: %v", err)
	}
}
