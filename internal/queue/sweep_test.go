package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postrider/postrider/internal/redistest"
	"github.com/postrider/postrider/pkg/push/wire"
)

func archive(t *testing.T, rdb *redis.Client, id string, at time.Time) {
	t.Helper()
	task := wire.Task{ID: id, Queue: "huawei:bulk", Payload: []byte(id)}
	_, err := rdb.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		p.HSet(t.Context(), wire.TaskKey(task.Queue, id), "msg", task.Encode())
		return p.ZAdd(t.Context(), wire.ArchivedKey(task.Queue), redis.Z{Score: float64(at.Unix()), Member: id}).Err()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestASweepContinuesWhereTheLastOneEnded(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	var got []string
	var fault error
	s := &sweeper{rdb: rdb, every: sweepEvery, lanes: []string{"huawei:bulk"}, swept: map[string]int64{}, endArchived: func(_ context.Context, _ string, all []Archived) error {
		for _, c := range all {
			got = append(got, c.ID)
		}
		return fault
	}}
	sweep := func(want ...string) {
		t.Helper()
		got = nil
		if err := s.sweep(t.Context(), true); !errors.Is(err, fault) {
			t.Fatal(err)
		}
		if len(got) != len(want) || len(want) > 0 && got[0] != want[0] {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	now := time.Now()
	archive(t, rdb, "old", now.Add(-time.Hour))
	fault = errors.New("redis is away")
	sweep("old")
	sweep("old") // it failed
	fault = nil
	sweep("old")
	archive(t, rdb, "new", now)
	sweep("old", "new")
	sweep("new") // and what a worker whose clock is behind may have added before it
	if rdb.HSet(t.Context(), wire.TaskKey("huawei:bulk", "new"), "msg", "\xff").Err() != nil {
		t.Fatal("redis")
	}
	sweep() // not a task of ours
}

func TestWorkersTakeTurnsAtSweeping(t *testing.T) {
	t.Parallel()
	rdb := redistest.Client(t)
	archive(t, rdb, "task", time.Now())
	ended := 0
	for range 3 {
		s := &sweeper{rdb: rdb, every: sweepEvery, lanes: []string{"huawei:bulk"}, swept: map[string]int64{}, endArchived: func(_ context.Context, _ string, all []Archived) error {
			ended += len(all)
			return nil
		}}
		if err := s.sweep(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	if ended != 1 {
		t.Errorf("ended %d times, want once", ended)
	}
}
