package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Count is how many tasks a lane has.
type Count struct {
	Lane     string
	Pending  int // to be worked now
	Later    int // wait for their time: put back, or scheduled
	InFlight int
	Archived int
	Oldest   time.Duration // the longest that a pending task has waited; 0: there is none
	Paused   bool          // an operator paused it in asynq's UI
}

// Counts reads every lane that has ever had a task, in no order.
func Counts(ctx context.Context, rdb redis.UniversalClient) ([]Count, error) {
	i := asynq.NewInspectorFromRedisClient(rdb)
	names, err := i.Queues()
	if err != nil {
		return nil, fmt.Errorf("count tasks: %w", err)
	}
	all := make([]Count, 0, len(names))
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("count tasks: %w", err)
		}
		q, err := i.GetQueueInfo(name)
		if errors.Is(err, asynq.ErrQueueNotFound) {
			continue // it was deleted just now
		}
		if err != nil {
			return nil, fmt.Errorf("count tasks of %s: %w", name, err)
		}
		all = append(all, Count{
			Lane: name, Pending: q.Pending, Later: q.Scheduled + q.Retry, InFlight: q.Active, Archived: q.Archived,
			Oldest: q.Latency, Paused: q.Paused,
		})
	}
	return all, nil
}

// listed is how many tasks of each state Recent reads.
const listed = 30

// Recent returns tasks of a lane: up to 30 each of those in work, those to be worked
// next, and those put back that are due first.
func Recent(rdb redis.UniversalClient, lane string) ([]Task, error) {
	i := asynq.NewInspectorFromRedisClient(rdb)
	var all []Task
	for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
		i.ListActiveTasks, i.ListPendingTasks, i.ListRetryTasks, i.ListScheduledTasks,
	} {
		tasks, err := list(lane, asynq.PageSize(listed))
		if errors.Is(err, asynq.ErrQueueNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list tasks of %s: %w", lane, err)
		}
		for _, t := range tasks {
			all = append(all, Task{ID: t.ID, Payload: t.Payload})
		}
	}
	return all, nil
}
