package dispatch_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
)

const normal = "nova:normal"

// finder looks for lost tasks of the rig's lanes.
func (r *rig) finder() *queue.Finder {
	return &queue.Finder{
		Redis: r.rdb, Lanes: []string{"nova:high", normal, "nova:bulk"}, Lost: r.d.Lost, End: r.d.End, Log: zerolog.Nop(),
	}
}

// wantNothingLeft demands that no chunk and no member of the open work is left.
func (r *rig) wantNothingLeft() {
	r.Helper()
	for _, pattern := range []string{wire.ChunkKey("*"), wire.OpenKey("*"), wire.PackJobsKey("*")} {
		if keys := r.rdb.Keys(r.Context(), pattern).Val(); len(keys) > 0 {
			r.Errorf("%q are left", keys)
		}
	}
}

func manyTokens(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("t%05d", i)
	}
	return all
}

// What a person does in asynq's UI, by asynq's own commands, and what asynq does
// by itself: every task comes up again, and every token is sent.
func TestALostTaskIsSentAgain(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(r *rig, i *asynq.Inspector){
		"one task is deleted": func(r *rig, i *asynq.Inspector) {
			r.must(i.DeleteTask(normal, r.rdb.LIndex(r.Context(), wire.PendingKey(normal), 1).Val()))
		},
		"all pending tasks are deleted": func(r *rig, i *asynq.Inspector) {
			_, err := i.DeleteAllPendingTasks(normal)
			r.must(err)
		},
		"all are archived, and asynq forgets them": func(r *rig, i *asynq.Inspector) {
			_, err := i.ArchiveAllPendingTasks(normal)
			r.must(err)
			r.must(r.rdb.ZRemRangeByRank(r.Context(), wire.ArchivedKey(normal), 0, -2).Err())
			r.must(i.RunTask(normal, r.rdb.ZRange(r.Context(), wire.ArchivedKey(normal), 0, 0).Val()[0]))
		},
		"nothing is lost": func(*rig, *asynq.Inspector) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			for _, j := range []push.Job{job("large", manyTokens(1500)...), job("small", "a", "b"), job("single", "c")} {
				_, err := r.client.Enqueue(t.Context(), j)
				r.must(err)
			}
			for _, o := range r.client.EnqueueMany(t.Context(), []push.Job{job("p1", "d"), job("p2", "e", "f")}) {
				r.must(o.Err)
			}
			lose(r, asynq.NewInspectorFromRedisClient(r.rdb))
			r.must(r.finder().Look(t.Context()))
			r.must(r.finder().Look(t.Context())) // a second look finds nothing to do
			tasks := r.tasks()
			if want := 15 + 3; len(tasks) != want {
				t.Errorf("%d tasks wait, want %d", len(tasks), want)
			}
			r.finish(tasks...)
			for id, n := range map[string]int{"large": 1500, "small": 2, "single": 1, "p1": 1, "p2": 2} {
				r.want(id, map[wire.Outcome]int{wire.Delivered: n})
			}
			r.wantNothingLeft()
		})
	}
}

func TestWhatNobodyCanSendEndsDead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose func(r *rig)
		code string
	}{
		"the chunks were evicted": {func(r *rig) {
			r.must(r.rdb.Del(r.Context(), r.rdb.Keys(r.Context(), wire.ChunkKey("*")).Val()...).Err())
		}, "nova/task/lost-task"},
		"the chunks cannot be read": {func(r *rig) {
			for _, key := range r.rdb.Keys(r.Context(), wire.ChunkKey("*")).Val() {
				r.must(r.rdb.Set(r.Context(), key, "rubbish", 0).Err())
			}
		}, "nova/task/unreadable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			for _, j := range []push.Job{job("large", manyTokens(1500)...), job("single", "c")} {
				_, err := r.client.Enqueue(t.Context(), j)
				r.must(err)
			}
			for _, o := range r.client.EnqueueMany(t.Context(), []push.Job{job("p1", "d"), job("p2", "e", "f")}) {
				r.must(o.Err)
			}
			done := r.tasks()
			r.finish(done[0]) // one of the large job's chunks is sent before
			c.lose(r)
			for _, lost := range done {
				r.must(r.rdb.Del(t.Context(), wire.TaskKey(lost.lane, lost.ID)).Err())
			}
			r.must(r.finder().Look(t.Context()))
			r.want("large", map[wire.Outcome]int{wire.Delivered: 100, wire.Dead: 1400})
			r.want("single", map[wire.Outcome]int{wire.Dead: 1})
			r.want("p1", map[wire.Outcome]int{wire.Dead: 1})
			r.want("p2", map[wire.Outcome]int{wire.Dead: 2})
			if st := r.want("p2", map[wire.Outcome]int{wire.Dead: 2}); st.Codes[c.code] != 2 || st.State != "done" {
				t.Errorf("p2 is %+v, want it done with code %s", st, c.code)
			}
			r.wantNothingLeft()
		})
	}
}

func TestACanceledJobIsCountedAlsoWhereItsTasksWait(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	later := job("later", manyTokens(300)...)
	later.NotBefore = r.clock.now().Add(time.Hour)
	_, err := r.client.Enqueue(t.Context(), later)
	r.must(err)
	_, err = r.client.Enqueue(t.Context(), job("large", manyTokens(1500)...))
	r.must(err)
	for _, o := range r.client.EnqueueMany(t.Context(), []push.Job{job("p1", "d"), job("p2", "e", "f"), job("p3", "g")}) {
		r.must(o.Err)
	}
	for _, id := range []string{"later", "large", "p1", "p2"} {
		r.must(r.book.Cancel(t.Context(), id))
	}
	r.must(r.finder().Look(t.Context()))
	for id, n := range map[string]int{"later": 300, "large": 1500, "p1": 1, "p2": 2} {
		r.want(id, map[wire.Outcome]int{wire.Canceled: n})
	}
	r.want("p3", map[wire.Outcome]int{wire.Pending: 1})
	r.finish(r.tasks()...)
	r.want("p3", map[wire.Outcome]int{wire.Delivered: 1})
	r.wantNothingLeft()
}

func TestALaneThatCannotBeLookedAtKeepsNoOtherFromIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	j := job("b", "t")
	j.Priority = push.Bulk
	_, err := r.client.Enqueue(t.Context(), j)
	r.must(err)
	r.must(r.rdb.Set(t.Context(), wire.OpenKey("nova:high"), "not a sorted set", 0).Err())
	i := asynq.NewInspectorFromRedisClient(r.rdb)
	_, err = i.DeleteAllPendingTasks("nova:bulk")
	r.must(err)
	if err := r.finder().Look(t.Context()); err == nil {
		t.Error("no word of the lane that could not be looked at")
	}
	if n := len(r.tasks()); n != 1 {
		t.Errorf("%d tasks wait in bulk, want the lost one", n)
	}
}

func TestATaskThatWasDeletedInOurUIIsCanceled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.client.Enqueue(t.Context(), job("a", "t1", "t2"))
	r.must(err)
	id := r.rdb.LIndex(t.Context(), wire.PendingKey(normal), 0).Val()
	r.must(r.rdb.HSet(t.Context(), wire.DeletedKey(normal), id, 1).Err())
	r.must(asynq.NewInspectorFromRedisClient(r.rdb).DeleteTask(normal, id))
	r.must(r.finder().Look(t.Context()))
	r.want("a", map[wire.Outcome]int{wire.Canceled: 2})
	r.wantNothingLeft()
}
