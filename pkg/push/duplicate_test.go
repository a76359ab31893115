package push_test

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// sizes are those of the three ways in which a job is stored: a ledger that is a
// string, one that is a hash, and chunk by chunk.
var sizes = []int{1, 4, 1200}

func eachSize(t *testing.T, test func(t *testing.T, size int, rdb *redis.Client)) {
	t.Parallel()
	for _, size := range sizes {
		t.Run(fmt.Sprintf("%d tokens", size), func(t *testing.T) {
			t.Parallel()
			test(t, size, redistest.Client(t))
		})
	}
}

func TestAKnownIDIsADuplicate(t *testing.T) {
	eachSize(t, func(t *testing.T, size int, rdb *redis.Client) {
		c := newClient(t, rdb)
		j := to(job("j"), "three", tokens("t", size)...)
		if _, err := c.Enqueue(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		for _, again := range sizes { // also with other targets than before
			_, err := c.Enqueue(t.Context(), to(job("j"), "five", tokens("t", again)...))
			if !errors.Is(err, push.ErrDuplicate) || err.Error() != "job j: duplicate job id" {
				t.Errorf("again with %d tokens: got %v, want ErrDuplicate", again, err)
			}
		}
		b := open(t, rdb)
		b.wantTokens(t, "j", "five", nil)
		if b.accepted["j"] != size {
			t.Errorf("the ledger has %d tokens, want %d", b.accepted["j"], size)
		}
	})
}

func TestOfTwentySendersOneIsAccepted(t *testing.T) {
	eachSize(t, func(t *testing.T, size int, rdb *redis.Client) {
		c := newClient(t, rdb)
		errs := make([]error, 20)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				_, errs[i] = c.Enqueue(t.Context(), to(job("j"), "three", tokens("t", size)...))
			})
		}
		all.Wait()
		n := 0
		for _, err := range errs {
			if err == nil {
				n++
			} else if !errors.Is(err, push.ErrDuplicate) {
				t.Errorf("got %v, want ErrDuplicate", err)
			}
		}
		if n != 1 {
			t.Errorf("%d senders were accepted, want 1", n)
		}
		b := open(t, rdb)
		b.wantTokens(t, "j", "three", tokens("t", size))
	})
}

// finish ends a job as a worker does: its tasks and chunks go, its ledger says when.
func finish(t *testing.T, rdb *redis.Client, id string, at time.Time) {
	t.Helper()
	ctx := t.Context()
	b := open(t, rdb)
	for _, task := range b.tasks {
		rdb.Del(ctx, wire.ChunkKey(task.header.Chunk), wire.TaskKey(task.lane, task.id), wire.PendingKey(task.lane))
	}
	rdb.Del(ctx, wire.MessageKey(id))
	key := wire.JobKey(id)
	if b.accepted[id] == 1 {
		l := wire.Single{Outcome: wire.Delivered, App: "shop", Ended: at, Codes: map[string]int{"huawei/response/80000000": 1}}
		rdb.Set(ctx, key, l.Encode(), time.Hour)
	} else {
		rdb.HSet(ctx, key, wire.FieldState, wire.Done, wire.FieldEnded, at.Unix(), string(wire.Delivered), b.accepted[id])
	}
}

func TestAFinishedIDStaysTakenForTheWindow(t *testing.T) {
	for _, w := range []struct {
		name   string
		option time.Duration
		window time.Duration
	}{
		{"by default", 0, 24 * time.Hour},
		{"a short one", time.Minute, time.Minute},
		{"a long one", 72 * time.Hour, 72 * time.Hour},
	} {
		t.Run(w.name, func(t *testing.T) {
			eachSize(t, func(t *testing.T, size int, rdb *redis.Client) {
				now := noon
				c := newClient(t, rdb, func(o *push.Options) {
					o.DedupWindow, o.Now = w.option, func() time.Time { return now }
				})
				j := to(job("j"), "three", tokens("t", size)...)
				if _, err := c.Enqueue(t.Context(), j); err != nil {
					t.Fatal(err)
				}
				wantKeep(t, rdb, size, w.window)
				ended := now.Add(time.Hour)
				finish(t, rdb, "j", ended)
				now = ended.Add(w.window - time.Second)
				if _, err := c.Enqueue(t.Context(), j); !errors.Is(err, push.ErrDuplicate) {
					t.Errorf("a second before the window's end: got %v, want ErrDuplicate", err)
				}
				now = ended.Add(w.window)
				if _, err := c.Enqueue(t.Context(), j); err != nil {
					t.Errorf("after the window: %v", err)
				}
				b := open(t, rdb)
				b.wantTokens(t, "j", "three", tokens("t", size))
				if rdb.HExists(t.Context(), wire.JobKey("j"), wire.FieldEnded).Val() {
					t.Error("the new ledger has the old one's end")
				}
			})
		})
	}
}

// wantKeep demands that the ledger says it must outlive the job by a long window.
func wantKeep(t *testing.T, rdb *redis.Client, size int, window time.Duration) {
	t.Helper()
	var keep time.Duration
	if size == 1 {
		l, err := wire.DecodeSingle(rdb.Get(t.Context(), wire.JobKey("j")).Val())
		if err != nil {
			t.Fatal(err)
		}
		keep = l.Keep
	} else {
		n, _ := strconv.Atoi(rdb.HGet(t.Context(), wire.JobKey("j"), wire.FieldKeep).Val())
		keep = time.Duration(n) * time.Second
	}
	// Up to a day no word is needed: every ledger is kept as long.
	if keep != window && (window > 24*time.Hour || keep != 0) {
		t.Errorf("the ledger is kept %v, want %v", keep, window)
	}
}

func TestTwinsInOneCall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		first, second int
	}{
		{"both small", 1, 2},
		{"a small one before a large one", 2, 1200},
		{"a large one before a small one", 1200, 1},
		{"both large", 1200, 1300},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.Client(t)
			out := newClient(t, rdb).EnqueueMany(t.Context(), []push.Job{
				to(job("other"), "three", "a"),
				to(job("j"), "three", tokens("first", c.first)...),
				to(job("j"), "three", tokens("second", c.second)...),
			})
			if out[0].Err != nil || out[1].Err != nil || !errors.Is(out[2].Err, push.ErrDuplicate) {
				t.Errorf("got %v, want the last to be the duplicate", out)
			}
			b := open(t, rdb)
			b.wantTokens(t, "j", "three", tokens("first", c.first))
		})
	}
}
