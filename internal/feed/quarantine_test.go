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
	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

const foundAt = "2026-11-21T09:00:00.000Z"

// addQuarantined adds an entry to the quarantine; more are additional fields.
func addQuarantined(t *testing.T, rdb *redis.Client, token string, more ...any) {
	t.Helper()
	values := append([]any{
		"app", "shop", "vendor", "huawei", "token", token, "code", "huawei/response/80300007", "reason", "gone", "job", "a",
		"at", foundAt, "action", "delete",
	}, more...)
	if err := rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: wire.QuarantineStream, Values: values}).Err(); err != nil {
		t.Fatal(err)
	}
}

func tokens(t *testing.T, rdb *redis.Client, stream string) []string {
	t.Helper()
	var all []string
	for _, m := range rdb.XRange(t.Context(), stream, "-", "+").Val() {
		all = append(all, fmt.Sprint(m.Values["token"]))
	}
	return all
}

func TestConfirmedEntriesEnterTheFeedAsTheyAre(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	quarantine := feed.Quarantine{Redis: rdb, Keep: time.Hour}
	addQuarantined(t, rdb, "t1")
	addQuarantined(t, rdb, "t2", "action", "replace", "replacement", "t9")
	want := rdb.XRange(t.Context(), wire.QuarantineStream, "-", "+").Val()
	for _, count := range []int{2, 0} {
		if n, err := quarantine.Confirm(t.Context(), wire.EntryFilter{}); n != count || err != nil {
			t.Errorf("confirmed %d, %v, want %d", n, err, count)
		}
	}
	got := rdb.XRange(t.Context(), wire.InvalidStream, "-", "+").Val()
	if len(got) != 2 || fmt.Sprint(got[0].Values) != fmt.Sprint(want[0].Values) || fmt.Sprint(got[1].Values) != fmt.Sprint(want[1].Values) {
		t.Errorf("the feed has %v, want %v", got, want)
	}
	if n := rdb.XLen(t.Context(), wire.QuarantineStream).Val(); n != 0 {
		t.Errorf("%d are still quarantined", n)
	}
	// Only the token with action delete is known to be invalid, since its entry's time.
	at, _ := time.Parse(time.RFC3339, foundAt)
	marks := rdb.ZRangeWithScores(t.Context(), wire.GoneKey("shop", "huawei"), 0, -1).Val()
	if len(marks) != 1 || marks[0].Member != wire.Mark("t1") || int64(marks[0].Score) != at.UnixMilli() {
		t.Errorf("got marks %v", marks)
	}
	if ttl := rdb.TTL(t.Context(), wire.GoneKey("shop", "huawei")).Val(); ttl <= 59*time.Minute {
		t.Errorf("the marks expire in %v", ttl)
	}
}

func TestDiscardedEntriesAreGone(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	quarantine := feed.Quarantine{Redis: rdb, Keep: time.Hour}
	for i := range 450 {
		addQuarantined(t, rdb, fmt.Sprint("t", i))
	}
	for _, count := range []int{450, 0} {
		if n, err := quarantine.Discard(t.Context(), wire.EntryFilter{}); n != count || err != nil {
			t.Errorf("discarded %d, %v, want %d", n, err, count)
		}
	}
	if n := rdb.Exists(t.Context(), wire.InvalidStream, wire.GoneKey("shop", "huawei")).Val(); n != 0 {
		t.Error("a discarded entry entered the feed or was marked")
	}
}

func TestQuarantineFilters(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	for i, values := range [][]any{
		{"app", "shop", "vendor", "huawei", "code", "huawei/response/80300007", "job", "a"},
		{"app", "shop", "vendor", "oppo", "code", "oppo/token/10000", "job", "b"},
		{"app", "other", "vendor", "oppo", "code", "oppo/receipt/save/1", "job", "b"},
	} {
		id := fmt.Sprintf("%d-0", 1000*(i+1))
		if err := rdb.XAdd(t.Context(), &redis.XAddArgs{Stream: wire.QuarantineStream, ID: id, Values: append(values, "token", fmt.Sprint("t", i))}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		wire.EntryFilter
		want []string
	}{
		"all":                   {wire.EntryFilter{}, []string{"t0", "t1", "t2"}},
		"an app's":              {wire.EntryFilter{App: "shop"}, []string{"t0", "t1"}},
		"a vendor's":            {wire.EntryFilter{Vendor: "oppo"}, []string{"t1", "t2"}},
		"a job's":               {wire.EntryFilter{Job: "a"}, []string{"t0"}},
		"a full code's":         {wire.EntryFilter{Code: "oppo/token/10000"}, []string{"t1"}},
		"a vendor's own code's": {wire.EntryFilter{Code: "80300007"}, []string{"t0"}},
		"a code with a slash":   {wire.EntryFilter{Code: "save/1"}, []string{"t2"}},
		"later ones":            {wire.EntryFilter{Since: time.UnixMilli(2000)}, []string{"t1", "t2"}},
		"no match":              {wire.EntryFilter{App: "shop", Job: "c"}, nil},
	} {
		var got []string
		quarantine := feed.Quarantine{Redis: rdb}
		if err := quarantine.Each(t.Context(), c.EntryFilter, collect(&got)); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, c.want)
		}
	}
}

// cutter is a Redis hook that calls cut at one of the large pipelines.
type cutter struct {
	mu   sync.Mutex
	left int
	cut  func()
}

func (*cutter) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (*cutter) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (c *cutter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.mu.Lock()
		if len(cmds) > 100 { // not the pipeline that opens a connection
			c.left--
		}
		now := c.left == 0
		c.mu.Unlock()
		if now {
			c.cut()
		}
		return next(ctx, cmds)
	}
}

func TestAnInterruptedConfirmCanBeRepeated(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	const all = 1000
	for i := range all {
		addQuarantined(t, rdb, fmt.Sprintf("t%05d", i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	other := redis.NewClient(rdb.Options())
	defer other.Close()
	other.AddHook(&cutter{left: 2, cut: cancel})
	quarantine := feed.Quarantine{Redis: other, Keep: time.Hour}
	first, err := quarantine.Confirm(ctx, wire.EntryFilter{})
	if !errors.Is(err, context.Canceled) || first == 0 || first == all || first != len(tokens(t, rdb, wire.InvalidStream)) {
		t.Fatalf("confirmed %d, %v, want some but not all", first, err)
	}
	// Two at once share the rest.
	var wg sync.WaitGroup
	counts := make([]int, 2)
	for i := range counts {
		wg.Go(func() {
			var err error
			if counts[i], err = quarantine.Confirm(t.Context(), wire.EntryFilter{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if first+counts[0]+counts[1] != all {
		t.Errorf("confirmed %d and %v, want %d in all", first, counts, all)
	}
	if got := tokens(t, rdb, wire.InvalidStream); !slices.Equal(slices.Sorted(slices.Values(got)), numbered(all)) {
		t.Errorf("the feed has %d entries, want each once", len(got))
	}
}
