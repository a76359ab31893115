package queue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

func TestHastenMakesTheTasksOfThatJobDueAndNoOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client, err := push.NewClient(r.rdb, push.Options{Vendors: []push.Vendor{{Name: "huawei", Batch: 4}}})
	r.must(err)
	const lane = "huawei:normal"
	later := func(id string, n int) push.Job {
		tokens := make([]string, n)
		for i := range tokens {
			tokens[i] = "t" + strings.Repeat("x", i)
		}
		return push.Job{
			ID: id, App: "shop", Message: push.Message{Title: "Shipped", Body: "Your order is on its way"},
			Targets: map[string][]string{"huawei": tokens}, NotBefore: time.Now().Add(time.Hour),
		}
	}
	enqueue := func(jobs ...push.Job) {
		for _, o := range client.EnqueueMany(t.Context(), jobs) {
			r.must(o.Err)
		}
	}
	for _, j := range []push.Job{later("a-b", 9), later("a_b", 2), later("a-b.1", 1), later("a", 1), later("[*]", 1), later("*", 1)} {
		enqueue(j)
	}
	large := later("a-b-large", 9)
	tokens := large.Targets["huawei"]
	large.Targets = nil
	s, err := client.Open(large)
	r.must(err)
	for i, token := range tokens {
		r.must(s.Add(t.Context(), i+1, "huawei", []byte(token)))
	}
	_, err = s.Commit(t.Context())
	r.must(err)
	enqueue(later("shared-1", 1), later("shared-2", 1)) // keep their time
	// One of them was put back.
	moved := r.rdb.ZRange(t.Context(), wire.ScheduledKey(lane), 0, -1).Val()
	for _, id := range moved {
		if strings.HasPrefix(id, "a_b-") {
			r.must(r.rdb.ZRem(t.Context(), wire.ScheduledKey(lane), id).Err())
			r.must(r.rdb.ZAdd(t.Context(), wire.RetryKey(lane), redis.Z{Member: id, Score: 1}).Err())
			break
		}
	}
	due := 0
	for id, want := range map[string]int{"a-b": 3, "a-b-large": 3, "*": 1, "[*]": 1, "nobody": 0, "shared-1": 0} {
		r.must(queue.Hasten{Redis: r.rdb}.Job(t.Context(), id))
		now := r.rdb.LRange(t.Context(), wire.PendingKey(lane), 0, -1).Val()
		if got := len(now) - due; got != want {
			t.Errorf("%d tasks of %s come up, want %d", got, id, want)
		}
		due = len(now)
	}
	for _, id := range r.rdb.LRange(t.Context(), wire.PendingKey(lane), 0, -1).Val() {
		got := r.rdb.HMGet(t.Context(), wire.TaskKey(lane, id), "state", "pending_since").Val()
		if got[0] != "pending" || got[1] == nil {
			t.Errorf("task %s is %v, want it pending", id, got)
		}
	}
	rest := r.rdb.ZCard(t.Context(), wire.ScheduledKey(lane)).Val() + r.rdb.ZCard(t.Context(), wire.RetryKey(lane)).Val()
	if rest != 4 {
		t.Errorf("%d tasks keep their time, want those of a_b, a-b.1, a and the shared one", rest)
	}
}
