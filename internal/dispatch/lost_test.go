package dispatch_test

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	"github.com/postrider/postrider/internal/queue"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/push/wire"
	"github.com/postrider/postrider/pkg/vendors"
)

const normal = "nova:normal"

// finder finds lost tasks of the rig's lanes.
func (r *rig) finder() *queue.Finder {
	return &queue.Finder{
		Redis: r.rdb, Lanes: []string{"nova:high", normal, "nova:bulk"}, Lost: r.d.Lost, End: r.d.End, EndArchived: r.d.EndArchived, Log: zerolog.Nop(),
	}
}

// wantNothingLeft checks that no chunk and no member of the open work is left.
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

// Tasks are lost by what a person does in asynq's UI, by asynq's own commands, and
// by what asynq does itself: every task is restored, and every token is sent.
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

func TestALaneThatCannotBeReadDoesNotStopTheOthers(t *testing.T) {
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
		t.Error("the error does not name the lane that could not be read")
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
	msg := r.rdb.HGet(t.Context(), wire.TaskKey(normal, id), "msg").Val()
	r.must(r.rdb.HSet(t.Context(), wire.DeletedKey(normal), id, msg, "of somebody else", "not a task").Err())
	r.must(asynq.NewInspectorFromRedisClient(r.rdb).DeleteTask(normal, id))
	r.must(r.finder().Look(t.Context()))
	r.want("a", map[wire.Outcome]int{wire.Canceled: 2})
	r.wantNothingLeft()
	if n := r.rdb.Exists(t.Context(), wire.DeletedKey(normal)).Val(); n != 0 {
		t.Error("what was deleted is not forgotten")
	}
}

// What a person archives ends dead, even if asynq trims it from its archive at
// once: asynq keeps 10,000.
func TestWhatAsynqTrimsFromItsArchiveIsDead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.client.Enqueue(t.Context(), job("large", manyTokens(1500)...))
	r.must(err)
	i := asynq.NewInspectorFromRedisClient(r.rdb)
	_, err = i.ArchiveAllPendingTasks(normal)
	r.must(err)
	r.must(r.rdb.ZRemRangeByRank(t.Context(), wire.ArchivedKey(normal), 0, -2).Err())
	r.must(r.finder().Look(t.Context()))
	r.want("large", map[wire.Outcome]int{wire.Dead: 1400, wire.Pending: 100}) // the sweeper of the archive ends the rest
	if n := len(r.entries(wire.DeadStream, "reason")); n != 14 {
		t.Errorf("%d dead letters, want 14", n)
	}
	for _, reason := range r.entries(wire.DeadStream, "reason") {
		if reason != string(wire.DeadArchived) {
			t.Errorf("a dead letter's reason is %q, want archived", reason)
		}
	}
	if n := r.meter.recovered["archived"]; n != 14 {
		t.Errorf("%d archived tasks are counted, want 14", n)
	}
	if keys := r.rdb.Keys(t.Context(), wire.TaskKey(normal, "*")).Val(); len(keys) != 1 {
		t.Errorf("%d tasks are left, want the one in the archive", len(keys))
	}
}

// A lane that is always busy has tasks whose chunk is finished, but which asynq has
// not ended yet, so there are never fewer tasks than members.
func TestALostTaskIsFoundAmongManyOthers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const jobs = 3000
	all := make([]push.Job, jobs)
	for i := range all {
		all[i] = job(fmt.Sprintf("j%04d", i), "t")
		all[i].ExpiresAt = r.clock.now().Add(time.Duration(1+i) * time.Hour)
	}
	for part := range slices.Chunk(all, 1) { // each has a task of its own
		for _, o := range r.client.EnqueueMany(t.Context(), part) {
			r.must(o.Err)
		}
	}
	lost := r.rdb.LIndex(t.Context(), wire.PendingKey(normal), 0).Val() // it expires last
	r.must(asynq.NewInspectorFromRedisClient(r.rdb).DeleteTask(normal, lost))
	r.must(r.rdb.RPush(t.Context(), wire.PendingKey(normal), "finished-1", "finished-2").Err())
	f := r.finder()
	looks := 0
	for ; r.rdb.Exists(t.Context(), wire.TaskKey(normal, lost)).Val() == 0; looks++ {
		if looks == 10 {
			t.Fatal("the lost task was not found in ten looks")
		}
		r.must(f.Look(t.Context()))
	}
	if n := r.rdb.LLen(t.Context(), wire.PendingKey(normal)).Val(); n != jobs+2 {
		t.Errorf("%d tasks wait, want %d", n, jobs+2)
	}
}

// Version 1 had no index of open work.
func TestTheWorkOfOldProducersIsListed(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"when it is loaded", "at a worker's start"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			_, err := r.client.Enqueue(t.Context(), job("large", manyTokens(1500)...))
			r.must(err)
			for _, o := range r.client.EnqueueMany(t.Context(), []push.Job{job("p1", "d"), job("p2", "e", "f")}) {
				r.must(o.Err)
			}
			later := job("later", "a", "b")
			later.NotBefore = r.clock.now().Add(time.Minute)
			_, err = r.client.Enqueue(t.Context(), later)
			r.must(err)
			want := r.listed()
			tasks := r.makeOld()
			if when == "at a worker's start" {
				ctx, cancel := context.WithCancel(t.Context())
				f := r.finder()
				f.Adopt = r.d.Adopt
				f.Passed = func(context.Context, queue.Pass) error { cancel(); return nil }
				f.Run(ctx)
				if got := r.listed(); !slices.Equal(got, want) {
					t.Errorf("listed is %q, want %q", got, want)
				}
				if n := r.rdb.ZCard(t.Context(), wire.JobsKey).Val(); n != 2 {
					t.Errorf("%d jobs are listed, want the two that share no chunk", n)
				}
			} else {
				ok := say("ok")
				r.vendor.always = func(q *vendors.Request) (vendors.Answer, error) { // while it is sent
					if len(r.listed()) == 0 {
						t.Error("open work is not listed when it is sent")
					}
					return ok(q)
				}
			}
			r.clock.forward(time.Minute)
			r.finish(tasks...)
			for id, n := range map[string]int{"large": 1500, "later": 2, "p1": 1, "p2": 2} {
				r.want(id, map[wire.Outcome]int{wire.Delivered: n})
			}
			r.wantNothingLeft()
		})
	}
}

// listed are the members of the index of open work.
func (r *rig) listed() []string {
	r.Helper()
	return sorted(r.rdb.ZRange(r.Context(), wire.OpenKey(normal), 0, -1).Val())
}

// makeOld makes everything that was enqueued look as version 1 of a producer wrote
// it, and returns the tasks.
func (r *rig) makeOld() []task {
	r.Helper()
	var tasks []task
	for _, key := range r.rdb.Keys(r.Context(), wire.TaskKey(normal, "*")).Val() {
		t, _, err := wire.DecodeTask([]byte(r.rdb.HGet(r.Context(), key, "msg").Val()))
		r.must(err)
		t.Payload = bytes.Replace(t.Payload, []byte(`{"v":2,`), []byte(`{"v":1,`), 1)
		t.Payload = regexp.MustCompile(`"start":\d+,`).ReplaceAll(t.Payload, nil)
		r.must(r.rdb.HSet(r.Context(), key, "msg", t.Encode()).Err())
		tasks = append(tasks, task{normal, queue.Task{ID: t.ID, Payload: t.Payload}})
	}
	r.must(r.rdb.Del(r.Context(), wire.OpenKey(normal), wire.JobsKey).Err())
	if packed := r.rdb.Keys(r.Context(), wire.PackJobsKey("*")).Val(); len(packed) > 0 {
		r.must(r.rdb.Del(r.Context(), packed...).Err())
	}
	return tasks
}
