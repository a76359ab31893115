package feed_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/feed"
	"github.com/postrider/postrider/internal/ledger"
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// addToFeed adds n entries to the feed, numbered from first.
func addToFeed(t *testing.T, rdb *redis.Client, first, n int) {
	t.Helper()
	_, err := rdb.Pipelined(context.Background(), func(p redis.Pipeliner) error {
		for i := range n {
			p.XAdd(context.Background(), &redis.XAddArgs{Stream: wire.InvalidStream, Values: []any{"token", fmt.Sprintf("t%05d", first+i)}})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// collect appends the tokens of entries to a list.
func collect(to *[]string) func([]feed.Entry) error {
	return func(all []feed.Entry) error {
		for _, e := range all {
			*to = append(*to, e.Token)
		}
		return nil
	}
}

func numbered(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("t%05d", i)
	}
	return all
}

func TestEachReadsTheLedgersEntries(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	client, err := push.NewClient(rdb, push.Options{Vendors: []push.Vendor{{Name: "xiaomi", Batch: 4}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Enqueue(t.Context(), push.Job{
		ID: "a", App: "shop", Message: push.Message{Title: "x", Body: "y"}, Targets: map[string][]string{"xiaomi": {"t1", "t2"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	keys := rdb.Keys(t.Context(), wire.ChunkKey("*")).Val()
	step := &ledger.Step{Ref: keys[0][len(wire.ChunkKey("")):], App: "shop", Vendor: "xiaomi", Done: true, Invalid: []ledger.InvalidToken{
		{App: "shop", Vendor: "xiaomi", Token: "t1", Code: "xiaomi/token/20301", Reason: "gone", Job: "a", Action: "delete"},
		{App: "shop", Vendor: "xiaomi", Token: "t2", Code: "xiaomi/token/new", Reason: "moved", Job: "a", Action: "replace", Replacement: "t9"},
	}}
	book := ledger.Store{Redis: rdb, Now: func() time.Time { return time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC) }}
	if ok, err := book.Settle(t.Context(), []*ledger.Step{step}); err != nil || !ok[0] {
		t.Fatalf("settle: %v, %v", ok, err)
	}
	var got []feed.Entry
	reader := feed.Feed{Redis: rdb}
	err = reader.Each(t.Context(), time.Time{}, func(all []feed.Entry) error {
		got = append(got, all...)
		return nil
	})
	if err != nil || len(got) != 2 || got[0].ID == "" || got[0].ID >= got[1].ID {
		t.Fatalf("got %+v, %v", got, err)
	}
	want := []feed.Entry{
		{got[0].ID, "shop", "xiaomi", "t1", "xiaomi/token/20301", "gone", "a", "2026-11-21T09:00:00.000Z", "delete", ""},
		{got[1].ID, "shop", "xiaomi", "t2", "xiaomi/token/new", "moved", "a", "2026-11-21T09:00:00.000Z", "replace", "t9"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestEachReadsManyPagesInOrder(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	addToFeed(t, rdb, 0, 2500)
	var got []string
	reader := feed.Feed{Redis: rdb}
	if err := reader.Each(t.Context(), time.Time{}, collect(&got)); err != nil || !slices.Equal(got, numbered(2500)) {
		t.Errorf("got %d tokens, %v, want 2,500 in order", len(got), err)
	}
	enough := errors.New("enough")
	groups := 0
	err := reader.Each(t.Context(), time.Time{}, func([]feed.Entry) error { groups++; return enough })
	if !errors.Is(err, enough) || groups != 1 {
		t.Errorf("got %v after %d groups, want it to stop at the first error", err, groups)
	}
}

// waiting is a Redis hook that reports when a client starts to wait for new entries.
type waiting struct {
	once  sync.Once
	begun chan struct{}
}

func (*waiting) DialHook(next redis.DialHook) redis.DialHook { return next }
func (*waiting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (w *waiting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "xread" {
			w.once.Do(func() { close(w.begun) })
		}
		return next(ctx, cmd)
	}
}

func TestSinceOmitsEarlierEntries(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	for i, ms := range []int{1000, 2000, 2000, 3000} {
		if err := rdb.Do(t.Context(), "XADD", wire.InvalidStream, fmt.Sprintf("%d-*", ms), "token", fmt.Sprintf("t%05d", i)).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for ms, want := range map[int64]int{-5: 0, 1000: 0, 1001: 1, 2000: 1, 2001: 3, 3000: 3, 3001: 4} {
		var each, follow []string
		reader := feed.Feed{Redis: rdb}
		if err := reader.Each(t.Context(), time.UnixMilli(ms), collect(&each)); err != nil || !slices.Equal(each, numbered(4)[want:]) {
			t.Errorf("since %d ms: got %q, %v, want all from number %d", ms, each, err, want)
		}
		// Following must not start from the beginning, even if nothing was read before.
		waits := &waiting{begun: make(chan struct{})}
		other := redis.NewClient(rdb.Options())
		other.AddHook(waits)
		reader.Redis = other
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- reader.Follow(ctx, time.UnixMilli(ms), func(all []feed.Entry) error {
				if all[len(all)-1].Token == "last" {
					cancel()
					all = all[:len(all)-1]
				}
				return collect(&follow)(all)
			})
		}()
		<-waits.begun
		last, err := rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: wire.InvalidStream, Values: []any{"token", "last"}}).Result()
		if err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		cancel()
		_ = other.Close()
		rdb.XDel(t.Context(), wire.InvalidStream, last)
		if !slices.Equal(follow, numbered(4)[want:]) {
			t.Errorf("since %d ms: followed %q, want all from number %d", ms, follow, want)
		}
	}
}

func TestFollowPassesNewEntriesOnUntilItIsInterrupted(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	addToFeed(t, rdb, 0, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tokens := make(chan string, 1)
	done := make(chan error, 1)
	reader := feed.Feed{Redis: rdb}
	go func() {
		done <- reader.Follow(ctx, time.Time{}, func(all []feed.Entry) error {
			for _, e := range all {
				tokens <- e.Token
			}
			return nil
		})
	}()
	for i := range 6 {
		if i >= 3 {
			addToFeed(t, rdb, i, 1)
		}
		select {
		case got := <-tokens:
			if want := fmt.Sprintf("t%05d", i); got != want {
				t.Fatalf("number %d is %s, want %s", i, got, want)
			}
		case <-ctx.Done():
			t.Fatalf("entry %d was not passed on", i)
		}
	}
	start := time.Now()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it ended %v after its context", took)
	}
}

func TestFollowWaitsForAFeedThatDoesNotExistYet(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	reader := feed.Feed{Redis: rdb}
	var got []string
	done := make(chan error, 1)
	go func() {
		take := collect(&got)
		done <- reader.Follow(ctx, time.Time{}, func(all []feed.Entry) error { cancel(); return take(all) })
	}()
	addToFeed(t, rdb, 0, 1)
	if err := <-done; err != nil || !slices.Equal(got, numbered(1)) {
		t.Errorf("got %q, %v, want the new entry", got, err)
	}
}

func TestFollowReturnsAnErrorOfRedis(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	rdb := s.Client(t)
	reader := feed.Feed{Redis: rdb}
	addToFeed(t, rdb, 0, 1)
	err := reader.Follow(t.Context(), time.Time{}, func([]feed.Entry) error { s.Kill(); return nil })
	if err == nil {
		t.Error("got nil, want the error")
	}
}
