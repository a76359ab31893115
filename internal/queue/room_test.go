package queue_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push/wire"
)

// foreign are tasks that somebody else put into a lane, or that asynq ends
// without calling the handler.
var foreign = map[string]func(r *rig, id string){
	"another type": func(r *rig, id string) { r.foreign(id, "mail:send", bulk) },
	"a unique one": func(r *rig, id string) { r.foreign(id, "mail:send", bulk, asynq.Unique(time.Hour)) },
	"one that is kept when done": func(r *rig, id string) {
		r.foreign(id, "mail:send", bulk, asynq.Retention(time.Hour))
	},
	"its deadline is over": func(r *rig, id string) {
		r.foreign(id, wire.TaskType, bulk, asynq.Deadline(time.Now().Add(-time.Minute)))
	},
	"its deadline ends while it runs": func(r *rig, id string) {
		r.foreign("slow-"+id, wire.TaskType, bulk, asynq.Timeout(time.Second))
	},
	"it has no tries left": func(r *rig, id string) { r.foreign(id, "mail:send", bulk, asynq.MaxRetry(0)) },
	"the encoding names another queue": func(r *rig, id string) {
		r.foreign(id, "mail:send", "default")
		r.must(r.rdb.Rename(r.Context(), wire.TaskKey("default", id), wire.TaskKey(bulk, id)).Err())
		r.must(r.rdb.LMove(r.Context(), wire.PendingKey("default"), wire.PendingKey(bulk), "RIGHT", "LEFT").Err())
	},
	"the encoding names another task": func(r *rig, id string) {
		r.foreign("was-"+id, "mail:send", bulk)
		r.must(r.rdb.LRem(r.Context(), wire.PendingKey(bulk), 0, "was-"+id).Err())
		msg := r.rdb.HGet(r.Context(), wire.TaskKey(bulk, "was-"+id), "msg").Val()
		r.must(r.rdb.HSet(r.Context(), wire.TaskKey(bulk, id), "msg", msg, "state", "pending").Err())
		r.must(r.rdb.LPush(r.Context(), wire.PendingKey(bulk), id).Err())
	},
}

func (r *rig) foreign(id, kind, lane string, o ...asynq.Option) {
	r.Helper()
	o = append(o, asynq.Queue(lane), asynq.TaskID(id))
	_, err := r.client.EnqueueContext(r.Context(), asynq.NewTask(kind, []byte(id)), o...)
	r.must(err)
}

// However a task ends, it gives its place back: as many of our tasks as before
// are worked at once.
func TestForeignTasksGiveTheirSlotsBack(t *testing.T) {
	t.Parallel()
	for name, add := range foreign {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			h := newHolder(t)
			const handlers, room = 8, 4 // of bulk
			for i := range 3 * handlers {
				add(r, fmt.Sprint("foreign-", i))
			}
			began := make(chan string, 100)
			r.lanes(handlers, func(ctx context.Context, _ string, task queue.Task) error {
				switch {
				case strings.HasPrefix(task.ID, "slow-"):
					<-ctx.Done()
					return ctx.Err()
				case !strings.HasPrefix(task.ID, "ours-"):
					return &queue.DeadError{Reason: "not a task of ours"}
				}
				began <- task.ID
				select {
				case <-h.release:
				case <-ctx.Done():
				}
				return nil
			})
			for i := range room {
				r.add(bulk, fmt.Sprint("ours-", i))
			}
			for i := range room {
				from(t, began, fmt.Sprintf("%d of our tasks at once", i+1))
			}
			for i := range handlers - room {
				r.add(high, fmt.Sprint("ours-high-", i))
			}
			for i := range handlers - room {
				from(t, began, fmt.Sprintf("%d tasks of high priority beside them", i+1))
			}
		})
	}
}
