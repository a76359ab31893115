package queue_test

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

// pkg/push writes tasks itself, so that ledger, chunk and task are one step.
// They have to be, byte for byte, what asynq's own client writes.
func TestATaskIsWhatAsynqItselfStores(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour).Truncate(time.Second)
	for name, c := range map[string]struct {
		start  time.Time
		tokens int // over one chunk, the job is a stream
	}{
		"of a single message":          {time.Time{}, 1},
		"of a single message, later":   {later, 1},
		"of several tokens":            {time.Time{}, 3},
		"of a large job":               {time.Time{}, 2500},
		"of a large job, later":        {later, 2500},
		"of a single message, earlier": {later.Add(-2 * time.Hour), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := redistest.Client(t), redistest.Client(t)
			enqueue(t, ours, c.start, c.tokens)
			again(t, ours, theirs, c.start)
			got, want := stored(t, ours), stored(t, theirs)
			for _, k := range slices.Sorted(maps.Keys(want)) {
				if !maps.Equal(got[k], want[k]) {
					t.Errorf("%s is\n%q, asynq writes\n%q", k, got[k], want[k])
				}
			}
			if len(got) != len(want) {
				t.Errorf("keys are %v, asynq has %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
		})
	}
}

func enqueue(t *testing.T, rdb *redis.Client, start time.Time, tokens int) {
	t.Helper()
	c, err := push.NewClient(rdb, push.Options{Vendors: []push.Vendor{{Name: "huawei", Batch: 1000}}})
	if err != nil {
		t.Fatal(err)
	}
	j := push.Job{
		ID: "order-42", App: "shop", NotBefore: start, Message: push.Message{Title: "Shipped", Body: "Your order is on its way"},
		Targets: map[string][]string{},
	}
	for i := range tokens {
		j.Targets["huawei"] = append(j.Targets["huawei"], "token-"+strconv.Itoa(i))
	}
	if _, err := c.Enqueue(t.Context(), j); err != nil {
		t.Fatal(err)
	}
}

// again enqueues, by asynq's client, tasks with the ids and payloads of ours.
func again(t *testing.T, ours, theirs *redis.Client, start time.Time) {
	t.Helper()
	inspector, client := asynq.NewInspectorFromRedisClient(ours), asynq.NewClientFromRedisClient(theirs)
	opts := []asynq.Option{asynq.Queue(normal), asynq.MaxRetry(math.MaxInt32), asynq.Timeout(wire.TaskTimeout)}
	list := inspector.ListPendingTasks
	if start.After(time.Now()) {
		list = inspector.ListScheduledTasks
		opts = append(opts, asynq.ProcessAt(start))
	}
	tasks, err := list(normal)
	if err != nil || len(tasks) == 0 {
		t.Fatalf("asynq finds %d tasks: %v", len(tasks), err)
	}
	for _, task := range tasks { // the oldest stands first
		if _, err := client.EnqueueContext(t.Context(), asynq.NewTask("push", task.Payload), append(opts, asynq.TaskID(task.ID))...); err != nil {
			t.Fatal(err)
		}
	}
}

// stored is everything of asynq's in Redis, with the time of enqueueing as a sign.
func stored(t *testing.T, rdb *redis.Client) map[string]map[string]string {
	t.Helper()
	ctx, all := t.Context(), map[string]map[string]string{}
	for _, k := range rdb.Keys(ctx, "asynq:*").Val() {
		v := map[string]string{"ttl": rdb.TTL(ctx, k).Val().String()}
		switch kind := rdb.Type(ctx, k).Val(); kind {
		case "hash":
			maps.Copy(v, rdb.HGetAll(ctx, k).Val())
		case "list":
			v["list"] = strings.Join(rdb.LRange(ctx, k, 0, -1).Val(), " ")
		case "set":
			v["set"] = strings.Join(rdb.SMembers(ctx, k).Val(), " ")
		case "zset":
			for _, z := range rdb.ZRangeWithScores(ctx, k, 0, -1).Val() {
				v[z.Member.(string)] = strconv.FormatFloat(z.Score, 'f', -1, 64)
			}
		default:
			t.Errorf("%s is a %s", k, kind)
		}
		if ns, err := strconv.ParseInt(v["pending_since"], 10, 64); err == nil && time.Since(time.Unix(0, ns)) < time.Minute {
			v["pending_since"] = "a moment ago"
		}
		all[k] = v
	}
	return all
}

func TestATaskDueWithinASecondIsNotEarly(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	start := time.Now().Add(time.Hour).Truncate(time.Second).Add(300 * time.Millisecond)
	enqueue(t, rdb, start, 1)
	tasks, err := asynq.NewInspectorFromRedisClient(rdb).ListScheduledTasks(normal)
	if err != nil || len(tasks) != 1 {
		t.Fatalf("%d tasks are scheduled: %v", len(tasks), err)
	}
	if at := tasks[0].NextProcessAt; at.Before(start) || at.After(start.Add(time.Second)) {
		t.Errorf("the task is due at %v, want within a second after %v", at, start)
	}
}
